import { ModelError } from '../core/errors.ts';

/** Protocol buffers' wire types. */
const VARINT = 0;
const EIGHT_BYTES = 1;
const DELIMITED = 2;
const FOUR_BYTES = 5;

/** Field numbers of onnx.proto. */
const METADATA_PROPS = 14;
const KEY = 1;
const VALUE = 2;

/**
 * The metadata of an ONNX file alone: everything else is stepped over, so that it takes no time however
 * large the weights are.
 * @throws ModelError where the bytes are not those of a protocol buffer
 */
export function readMetadata(bytes: Uint8Array): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const [field, content] of delimitedFields(bytes)) {
    if (field !== METADATA_PROPS) continue;
    const entry = new Map(delimitedFields(content));
    const text = (number: number): string => new TextDecoder().decode(entry.get(number));
    metadata.set(text(KEY), text(VALUE));
  }
  return metadata;
}

/** The fields of a message that are strings, bytes or messages, in order. */
function* delimitedFields(bytes: Uint8Array): Generator<[field: number, content: Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      // Lengths over 2^53 do not occur; as a number the low bits of a larger one are lost, not the position.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new ModelError('An ONNX file was expected: its fields do not parse.');
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire === VARINT) varint();
    else if (wire === EIGHT_BYTES) at += 8;
    else if (wire === FOUR_BYTES) at += 4;
    else {
      const length = wire === DELIMITED ? varint() : Number.POSITIVE_INFINITY;
      if (at + length > bytes.length) throw new ModelError('An ONNX file was expected: it is cut short or damaged.');
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    }
  }
}
