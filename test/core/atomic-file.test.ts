import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  readChecksummedFile,
  removeAbandonedTemporaries,
  sha256,
  writeChecksummedFile,
  writeFileAtomic,
  writePartsAtomic,
} from '../../src/core/atomic-file.ts';
import { FormatError, RunError } from '../../src/core/errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-atomic-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function* failingParts() {
  yield 'new';
  throw new Error('source broke');
}

function limitFileSize(bytes: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
}

test('a file is replaced, and no temporary name is left', async () => {
  const path = join(folder, 'deep', 'a.json');
  await writeFileAtomic(path, 'first');
  await writeFileAtomic(path, 'second');
  expect(readFileSync(path, 'utf8')).toBe('second');
  expect(readdirSync(join(folder, 'deep'))).toEqual(['a.json']);
});

test('parts are written in order', async () => {
  await writePartsAtomic(join(folder, 'a'), ['one ', new TextEncoder().encode('two'), ' three']);
  expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('one two three');
});

test('a write that fails half-way leaves the old file and no temporary one', async () => {
  const path = join(folder, 'a');
  await writeFileAtomic(path, 'old');
  await expect(writePartsAtomic(path, failingParts())).rejects.toThrow(RunError);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder)).toEqual(['a']);
});

test('the reason is said in words', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(writeFileAtomic(join(folder, 'file', 'below'), 'x')).rejects.toThrow(
    /Can't save .*file.below: a .*file/,
  );
  mkdirSync(join(folder, 'dir', 'inner'), { recursive: true });
  await expect(writeFileAtomic(join(folder, 'dir'), 'x')).rejects.toThrow(/Can't save .*dir: a folder/);
});

test.skipIf(spawnSync('prlimit', ['--version']).status !== 0)(
  'a save that the system cuts short is an error, and the old file survives',
  async () => {
    // A limit on the size of files fails a write half-way, as a full disk does.
    const path = join(folder, 'a');
    await writeFileAtomic(path, 'old');
    limitFileSize('65536');
    try {
      await expect(writeFileAtomic(path, new Uint8Array(1 << 20))).rejects.toThrow(
        /Can't save .*a file that was there/i,
      );
    } finally {
      limitFileSize('unlimited');
    }
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  },
);

test('checksummed files: read back, and any damage is found', async () => {
  const path = join(folder, 'a.bin');
  const data = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  await writeChecksummedFile(path, data);
  expect(await readChecksummedFile(path)).toEqual(data);

  const whole = readFileSync(path);
  for (const position of [0, 500, 999, 1000, 1020, whole.length - 2]) {
    const damaged = Buffer.from(whole);
    damaged[position]! ^= 1;
    writeFileSync(path, damaged);
    await expect(readChecksummedFile(path), `byte ${position}`).rejects.toThrow(FormatError);
  }
  for (const length of [0, 72, 73, 999, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    await expect(readChecksummedFile(path), `length ${length}`).rejects.toThrow(FormatError);
  }
});

test('an empty checksummed file is a valid one', async () => {
  const path = join(folder, 'empty');
  await writeChecksummedFile(path, new Uint8Array());
  expect(await readChecksummedFile(path)).toHaveLength(0);
});

test('sha256 is the standard one', () => {
  // FIPS 180-2, appendix B.1.
  expect(sha256('a', 'bc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('only old temporary files are removed', async () => {
  writeFileSync(join(folder, '.gleaner-tmp-1-abc'), '');
  writeFileSync(join(folder, '.gleaner-tmp-2-abc'), '');
  writeFileSync(join(folder, 'model.onnx'), '');
  const old = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(join(folder, '.gleaner-tmp-1-abc'), old, old);
  utimesSync(join(folder, 'model.onnx'), old, old);
  expect(await removeAbandonedTemporaries(folder)).toBe(1);
  expect(readdirSync(folder).toSorted()).toEqual(['.gleaner-tmp-2-abc', 'model.onnx']);
});
