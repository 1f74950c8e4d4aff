import * as fc from 'fast-check';
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FormatError } from '../../src/core/errors.ts';
import {
  readSafetensors,
  readSafetensorsFile,
  writeSafetensors,
  writeSafetensorsFile,
} from '../../src/core/safetensors.ts';
import { float32, fromNumbers, int64, tensor, toNumbers, type DataType, type Tensor } from '../../src/core/tensor.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-safetensors-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const golden = readFileSync(new URL('golden/torch.safetensors', import.meta.url));

/** A file with this header (an object or its text) and `dataBytes` zeros. */
function file(header: object | string, dataBytes = 0, announced?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(announced ?? BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)]);
}

describe('the reference implementation is the witness', () => {
  test('what PyTorch wrote is read', () => {
    const { tensors, metadata } = readSafetensors(golden);
    expect(Object.fromEntries(metadata)).toEqual({ format: 'pt', note: 'line\nbreak' });
    expect(tensors.get('weight')).toEqual(float32([0, 0.25, 0.5, 0.75, 1, 1.25], [2, 3]));
    expect(toNumbers(tensors.get('half')!)).toEqual([1.5, -2, 65504]);
    expect(toNumbers(tensors.get('brain')!)).toEqual([1, -0.5]);
    expect(tensors.get('label')!.data).toEqual(BigInt64Array.of(1n, -(2n ** 62n)));
    expect(tensors.get('mask')).toEqual(tensor('bool', [3], Uint8Array.of(1, 0, 1)));
    expect(tensors.get('bytes')).toEqual(tensor('uint8', [1, 2], Uint8Array.of(0, 255)));
    expect(tensors.get('scalar')).toEqual(tensor('float64', [], Float64Array.of(2.5)));
    expect(tensors.get('empty')).toEqual(float32([], [0, 3]));
    expect(toNumbers(tensors.get('näme "quoted"')!)).toEqual([7]);
  });

  test('what is written again has the same tensors, and the same bytes in any order', () => {
    const { tensors, metadata } = readSafetensors(golden);
    const bytes = writeSafetensors(tensors, metadata);
    expect(writeSafetensors([...tensors].toReversed(), [...metadata].toReversed())).toEqual(bytes);
    expect(readSafetensors(bytes)).toEqual(readSafetensors(golden));
    // The reference sorts and pads in the same way: its file differs in the order of types of equal size at most.
    expect(bytes.length).toBe(golden.length);
  });
});

test('data that is not aligned in memory is read too', () => {
  for (const shift of [1, 2, 4]) {
    const moved = Buffer.alloc(golden.length + shift).subarray(shift);
    golden.copy(moved);
    expect(readSafetensors(moved)).toEqual(readSafetensors(golden));
  }
});

/** What the header says of a tensor. */
function entry(begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype: unknown = 'F32') {
  return { dtype, shape, data_offsets: [begin, end] };
}

/** Reads, or is refused in the one way that is allowed. */
function attempt(bytes: Uint8Array): void {
  try {
    readSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
  }
}

describe('lies in a header are found', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['no bytes', new Uint8Array(), /0 bytes, too few/],
    ['giant header', file('{}', 0, 2n ** 63n), /announces a header of 9223372036854775808 bytes, 2 follow/],
    ['header longer than the file', file('{}', 0, 3n), /announces a header of 3 bytes, 2 follow/],
    ['not JSON', file('{"a"'), /not JSON/],
    ['not UTF-8', Buffer.concat([file('', 0, 2n), Buffer.from([0x22, 0xff])]), /not JSON in UTF-8/],
    ['not an object', file('[]'), /not a JSON object/],
    ['an entry that is no object', file('{"a":3}'), /"a" .* not an object/],
    ['metadata that is no string', file('{"__metadata__":{"a":1}}'), /metadata "a" is not a string/],
    ['unknown type', file({ a: entry(0, 4, [1], 'F33') }, 4), /has the type "F33"; known are F64/],
    ['type of the prototype', file({ a: entry(0, 4, [1], 'toString') }, 4), /has the type "toString"/],
    ['negative side', file({ a: entry(0, 4, [-1, -1]) }, 4), /not a list of sizes/],
    ['fraction', file({ a: entry(0, 4, [0.5, 2]) }, 4), /not a list of sizes/],
    ['three offsets', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 8), /not two positions/],
    ['shape and bytes disagree', file({ a: entry(0, 8, [1]) }, 8), /takes 4 bytes, its offsets are 0 to 8/],
    ['end before begin', file({ a: entry(4, 0, [1]) }, 4), /takes 4 bytes/],
    ['overflow of the product', file({ a: entry(0, 0, [2 ** 32, 2 ** 32]) }), /takes 73786976294838206464 bytes/],
    ['overlap', file({ a: entry(0, 8), b: entry(4, 12) }, 12), /"b" overlaps/],
    ['hole', file({ a: entry(0, 4), b: entry(8, 12) }, 12), /bytes 4 to 8, in front of tensor "b"/],
    ['hole at the start', file({ a: entry(4, 8) }, 8), /bytes 0 to 4/],
    ['bytes behind the last', file({ a: entry(0, 4) }, 8), /take 4 bytes, the file holds 8/],
    ['too few bytes', file({ a: entry(0, 8) }, 4), /take 8 bytes, the file holds 4/],
    [
      'the same key twice',
      file(
        '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
        4,
      ),
      /has the key "a" twice/,
    ],
    ['a field twice', file('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4), /"shape" twice/],
  ];
  test.each(cases)('%s', async (_name, bytes, message) => {
    const path = join(folder, 'bad.safetensors');
    writeFileSync(path, bytes);
    expect(() => readSafetensors(bytes, 'here')).toThrow(FormatError);
    expect(() => readSafetensors(bytes, 'here')).toThrow(message);
    expect(() => readSafetensors(bytes, 'here')).toThrow(/^here/);
    await expect(readSafetensorsFile(path)).rejects.toThrow(message);
    await expect(readSafetensorsFile(path)).rejects.toThrow(FormatError);
  });

  test('a file that announces terabytes costs no memory', async () => {
    const path = join(folder, 'liar.safetensors');
    writeFileSync(path, file({ a: entry(0, 2 ** 42) }, 16));
    const before = process.memoryUsage();
    await expect(readSafetensorsFile(path)).rejects.toThrow(/the file holds 16/);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1_000_000);
  });

  test('a very long string in the header is no crash', () => {
    expect(() => readSafetensors(file(`{"a":"${'x'.repeat(50_000_000)}"}`))).toThrow(FormatError);
  });

  test('every prefix and every changed byte of a file is read or refused with a FormatError', () => {
    const whole = writeSafetensors([
      ['a', float32([1, 2])],
      ['b', int64([3])],
    ]);
    for (let length = 0; length < whole.length; length++) attempt(whole.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (position, byte) => {
        const changed = Uint8Array.from(whole);
        changed[position] = byte;
        attempt(changed);
      }),
      { numRuns: 2000 },
    );
  });
});

test('what is written is read back, whatever the names, types and shapes', () => {
  const dtypes: DataType[] = ['float32', 'float64', 'float16', 'int64', 'int32', 'uint8', 'bool', 'int8', 'uint16'];
  const anyTensor: fc.Arbitrary<Tensor> = fc
    .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(4), { maxLength: 3 }))
    .map(([dtype, shape]) => {
      const size = shape.reduce((product, side) => product * side, 1);
      return fromNumbers(
        dtype,
        shape,
        Array.from({ length: size }, (_, i) => i % 3),
      );
    });
  const names = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__');
  fc.assert(
    fc.property(fc.dictionary(names, anyTensor), fc.dictionary(names, fc.string()), (tensors, metadata) => {
      const bytes = writeSafetensors(Object.entries(tensors), Object.entries(metadata));
      const read = readSafetensors(bytes);
      expect(new Map(read.tensors)).toEqual(new Map(Object.entries(tensors)));
      expect(new Map(read.metadata)).toEqual(new Map(Object.entries(metadata)));
    }),
    { numRuns: 200 },
  );
});

test('a type without a name in safetensors is refused', () => {
  expect(() => writeSafetensors([['a', tensor('string', [1], ['x'])]])).toThrow(TypeError);
  expect(() => writeSafetensors([['a', tensor('int4', [1], Int8Array.of(1))]])).toThrow(/int4 of "a"/);
});

describe('files', () => {
  const tensors = new Map([
    ['layer.weight', float32([1, 2, 3, 4], [2, 2])],
    ['layer.count', int64([5])],
  ]);

  test('written whole, with a checksum that is not shown, the same bytes each time', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensorsFile(path, tensors, [['step', '7']]);
    const first = readFileSync(path);
    const read = await readSafetensorsFile(path);
    expect(read.tensors.get('layer.weight')).toEqual(tensors.get('layer.weight'));
    expect([...read.metadata]).toEqual([['step', '7']]);
    await writeSafetensorsFile(path, read.tensors, read.metadata);
    expect(readFileSync(path).equals(first)).toBe(true);
    expect(readdirSync(folder)).toEqual(['a.safetensors']);
  });

  test('any changed byte and any cut is found', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensorsFile(path, tensors, [['step', '7']]);
    const whole = readFileSync(path);
    for (let position = 0; position < whole.length; position++) {
      const damaged = Buffer.from(whole);
      damaged[position]! ^= 1;
      writeFileSync(path, damaged);
      await expect(readSafetensorsFile(path, { requireChecksum: true }), `byte ${position}`).rejects.toThrow(
        FormatError,
      );
    }
    writeFileSync(path, whole);
    await readSafetensorsFile(path, { requireChecksum: true });
    truncateSync(path, whole.length - 1);
    await expect(readSafetensorsFile(path)).rejects.toThrow(FormatError);
  });
});
