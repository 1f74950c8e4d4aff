import { open, type FileHandle } from 'node:fs/promises';
import { sha256, writePartsAtomic } from './atomic-file.ts';
import { FormatError } from './errors.ts';
import { duplicateKey } from './json-keys.ts';
import { bytesPerElement, viewBytes, type DataType, type Tensor } from './tensor.ts';

/**
 * Safetensors: 8 bytes with the header's length, a JSON header, the tensors' bytes without a gap.
 * Written here because nothing well kept exists on npm. Nothing in a file is believed before it is
 * checked against the number of bytes that are really there.
 * https://github.com/huggingface/safetensors#format
 */
export interface Safetensors {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Free text by key. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA_KEY = '__metadata__';
/** Where `writeSafetensorsFile` keeps the SHA-256 of the file with these digits as zeros. */
const CHECKSUM_KEY = 'gleaner.sha256';
const NO_CHECKSUM = '0'.repeat(64);

const DTYPES: Readonly<Record<string, Exclude<DataType, 'string'>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
};
const CODES = new Map(Object.entries(DTYPES).map(([code, dtype]) => [dtype as DataType, code]));

interface Entry {
  readonly name: string;
  readonly dtype: Exclude<DataType, 'string'>;
  readonly shape: readonly number[];
  /** Offsets in the data section, in bytes. */
  readonly begin: number;
  readonly end: number;
}

interface Header {
  readonly entries: readonly Entry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a whole file from memory; the tensors share it where their bytes are aligned.
 * @param source names the file in errors.
 * @throws FormatError for a header longer than the file, overlap, hole, duplicate key, overflow, unknown
 * type, or a checksum that does not match; nothing is allocated before the header is checked.
 */
export function readSafetensors(bytes: Uint8Array, source = 'safetensors data'): Safetensors {
  const headerBytes = headerLength(bytes.subarray(0, 8), bytes.length, source);
  const text = bytes.subarray(8, 8 + headerBytes);
  const data = bytes.subarray(8 + headerBytes);
  const header = parseHeader(text, data.length, source);
  return assemble(header, text, data, source);
}

/**
 * As `readSafetensors`, from a file; the header is checked before the tensors are read.
 * @param options.requireChecksum refuses a file that `writeSafetensorsFile` can't have written.
 */
export async function readSafetensorsFile(
  path: string,
  options: { readonly requireChecksum?: boolean } = {},
): Promise<Safetensors> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const headerBytes = headerLength(await readAt(file, 0, Math.min(8, size), path), size, path);
    const text = await readAt(file, 8, headerBytes, path);
    const dataBytes = size - 8 - headerBytes;
    const header = parseHeader(text, dataBytes, path);
    if (options.requireChecksum && !header.metadata.has(CHECKSUM_KEY))
      throw new FormatError(`${path} is damaged or not ours: its metadata lacks "${CHECKSUM_KEY}".`);
    const data = await readAt(file, 8 + headerBytes, dataBytes, path);
    return assemble(header, text, data, path);
  } finally {
    await file.close();
  }
}

/**
 * The same bytes for the same tensors, whatever order they come in: sorted by element size (so that all
 * are aligned), then by name.
 * @throws TypeError for a type that safetensors has no name for (strings, 4-bit integers).
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, Tensor]>,
  metadata: Iterable<readonly [string, string]> = [],
): Uint8Array {
  const parts = encode(tensors, metadata);
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

/**
 * Writes a file that is whole or absent, with a SHA-256 of all of it in its metadata, which the readers
 * here check. Other programs read it as any safetensors file.
 */
export async function writeSafetensorsFile(
  path: string,
  tensors: Iterable<readonly [string, Tensor]>,
  metadata: Iterable<readonly [string, string]> = [],
): Promise<void> {
  const [length, header, ...data] = encode(tensors, [...metadata, [CHECKSUM_KEY, NO_CHECKSUM]]);
  const text = Buffer.from(header as Uint8Array);
  text.write(sha256(text, ...data), checksumOffset(text), 'latin1');
  await writePartsAtomic(path, [length!, text, ...data]);
}

function encode(
  tensors: Iterable<readonly [string, Tensor]>,
  metadata: Iterable<readonly [string, string]>,
): Uint8Array[] {
  const sorted = [...new Map(tensors)].toSorted(
    ([a, x], [b, y]) => bytesPerElement(y.dtype) - bytesPerElement(x.dtype) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const texts = [...new Map(metadata)].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const fields: string[] = [];
  const data: Uint8Array[] = [];
  if (texts.length > 0) {
    const inner = texts.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    fields.push(`${JSON.stringify(METADATA_KEY)}:{${inner.join()}}`);
  }
  let offset = 0;
  for (const [name, { dtype, shape, data: elements }] of sorted) {
    const code = CODES.get(dtype);
    if (code === undefined || Array.isArray(elements))
      throw new TypeError(`Safetensors has no name for the type ${dtype} of "${name}".`);
    if (name === METADATA_KEY) throw new RangeError(`A tensor can't be named "${METADATA_KEY}" in safetensors.`);
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
    const place = { dtype: code, shape, data_offsets: [offset, offset + bytes.length] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(place)}`);
    data.push(bytes);
    offset += bytes.length;
  }
  const json = Buffer.from(`{${fields.join()}}`);
  // Spaces up to a multiple of 8 keep the data section aligned.
  const header = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return [length, header, ...data];
}

function headerLength(first: Uint8Array, fileBytes: number, source: string): number {
  if (first.length < 8)
    throw new FormatError(`${source} is not a safetensors file: it has ${fileBytes} bytes, too few for a header.`);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
  if (length > BigInt(limit))
    throw new FormatError(
      `${source} is not a safetensors file, or is cut short: it announces a header of ${length} bytes, ${fileBytes - 8} follow.`,
    );
  return Number(length);
}

function parseHeader(bytes: Uint8Array, dataBytes: number, source: string): Header {
  const fail = (what: string): never => {
    throw new FormatError(`${source}: ${what}.`);
  };
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (error) {
    return fail(`the safetensors header is not JSON in UTF-8 (${(error as Error).message})`);
  }
  if (!isObject(json)) return fail('the safetensors header is not a JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) return fail(`the safetensors header has the key "${twice}" twice`);

  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (!isObject(value)) return fail(`"${name}" in the safetensors header is not an object`);
    if (name === METADATA_KEY) {
      for (const [key, entry] of Object.entries(value)) {
        if (typeof entry !== 'string') return fail(`metadata "${key}" is not a string`);
        metadata.set(key, entry);
      }
      continue;
    }
    entries.push(parseEntry(name, value, fail));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let offset = 0;
  for (const { name, begin, end } of entries) {
    if (begin < offset)
      return fail(`tensor "${name}" overlaps the one before it (starts at ${begin}, before ${offset})`);
    if (begin > offset)
      return fail(`the bytes ${offset} to ${begin}, in front of tensor "${name}", belong to no tensor`);
    offset = end;
  }
  if (offset !== dataBytes) return fail(`the tensors take ${offset} bytes, the file holds ${dataBytes}`);
  return { entries, metadata };
}

function parseEntry(name: string, value: Record<string, unknown>, fail: (what: string) => never): Entry {
  const { dtype: code, shape, data_offsets: offsets } = value;
  const dtype = typeof code === 'string' && Object.hasOwn(DTYPES, code) ? DTYPES[code] : undefined;
  if (dtype === undefined)
    return fail(`tensor "${name}" has the type ${JSON.stringify(code)}; known are ${Object.keys(DTYPES).join(', ')}`);
  if (!isSizes(shape))
    return fail(`tensor "${name}" has a shape that is not a list of sizes: ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2)
    return fail(`tensor "${name}" has data_offsets that are not two positions: ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets as [number, number];
  // The product can overflow what a number holds exactly; as BigInt it can't.
  const expected = shape.reduce((product, side) => product * BigInt(side), BigInt(bytesPerElement(dtype)));
  if (BigInt(end) - BigInt(begin) !== expected)
    return fail(
      `tensor "${name}" of shape [${shape}] and type ${code} takes ${expected} bytes, its offsets are ${begin} to ${end}`,
    );
  return { name, dtype, shape, begin, end };
}

function assemble({ entries, metadata }: Header, header: Uint8Array, data: Uint8Array, source: string): Safetensors {
  const { [CHECKSUM_KEY]: wanted, ...texts } = Object.fromEntries(metadata);
  if (wanted !== undefined) {
    const text = Buffer.from(header);
    const offset = checksumOffset(text);
    if (offset >= 0) text.write(NO_CHECKSUM, offset, 'latin1');
    if (offset < 0 || sha256(text, data) !== wanted)
      throw new FormatError(`${source} is damaged: its content does not match the SHA-256 in its metadata.`);
  }
  return {
    tensors: new Map(entries.map((entry) => [entry.name, tensorOf(entry, data)])),
    metadata: new Map(Object.entries(texts)),
  };
}

/** Where the digits of the checksum start in the header, or -1. */
function checksumOffset(header: Buffer): number {
  const key = `${JSON.stringify(CHECKSUM_KEY)}:"`;
  const found = header.indexOf(key);
  return found < 0 ? -1 : found + key.length;
}

function tensorOf({ dtype, shape, begin, end }: Entry, data: Uint8Array): Tensor {
  return { dtype, shape, data: viewBytes(dtype, data.subarray(begin, end)) };
}

async function readAt(file: FileHandle, position: number, length: number, source: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 1 << 30), position + done);
    if (bytesRead === 0) throw new FormatError(`${source} became shorter while it was read.`);
    done += bytesRead;
  }
  return bytes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0);
}
