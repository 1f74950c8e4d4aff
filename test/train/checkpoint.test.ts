import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import { FormatError, RunError } from '../../src/core/errors.ts';
import { float32, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { allFinite, readCheckpoint, writeCheckpoint, type Checkpoint } from '../../src/train/checkpoint.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gleaner-checkpoint-'));
  file = join(folder, 'last.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const counters = { epoch: 3, stepInEpoch: 2, step: 17, lossSum: 0.1 + 0.2, best: { score: 0.9, epoch: 2 } };

describe('a checkpoint', () => {
  it('comes back as it was saved', async () => {
    await writeCheckpoint(file, checkpoint());
    const { state, counters: read } = await readCheckpoint(file);
    expect(read).toEqual(counters);
    expect([...state.parameters.keys()].toSorted()).toEqual(['a/b.weight', 'bias']);
    expect(state.parameters.get('a/b.weight')!.shape).toEqual([2, 2]);
    expect(toNumbers(state.parameters.get('a/b.weight')!)).toEqual([1, 2, 3, 4]);
    expect([...state.buffers.keys()]).toEqual(['mean']);
    expect([...state.optimizer.keys()]).toEqual(['momentum/a/b.weight']);
  });

  it('has the same bytes whatever order its tensors came in', async () => {
    await writeCheckpoint(file, checkpoint());
    const first = readFileSync(file);
    const { state } = checkpoint();
    const reversed = new Map([...state.parameters].toReversed());
    await writeCheckpoint(file, { state: { ...state, parameters: reversed }, counters });
    expect(readFileSync(file).equals(first)).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('of %d is refused and the one before stays', async (bad) => {
    await writeCheckpoint(file, checkpoint());
    const before = readFileSync(file);
    const { state } = checkpoint();
    const broken = new Map<string, Tensor>([...state.parameters, ['bias', float32([0, bad])]]);
    const write = writeCheckpoint(file, { state: { ...state, parameters: broken }, counters });
    await expect(write).rejects.toThrow(/parameter "bias" holds a value that is not finite/);
    await expect(write).rejects.toBeInstanceOf(RunError);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('that can not be saved is an error, and leaves no half of it', async () => {
    writeFileSync(join(folder, 'checkpoints'), 'in the way');
    await expect(writeCheckpoint(join(folder, 'checkpoints', 'last.safetensors'), checkpoint())).rejects.toThrow(
      RunError,
    );
    expect(readdirSync(folder)).toEqual(['checkpoints']);
  });

  it('that was cut short or changed is refused', async () => {
    await writeCheckpoint(file, checkpoint());
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    await expect(readCheckpoint(file)).rejects.toBeInstanceOf(FormatError);
    truncateSync(file, bytes.length - 4);
    await expect(readCheckpoint(file)).rejects.toBeInstanceOf(FormatError);
  });

  it('of another kind is refused', async () => {
    await writeSafetensorsFile(file, [['weight', float32([1])]]);
    await expect(readCheckpoint(file)).rejects.toThrow('is not a checkpoint');
    await writeSafetensorsFile(file, [['weight', float32([1])]], [['format', 'gleaner-checkpoint-1']]);
    await expect(readCheckpoint(file)).rejects.toThrow('holds "weight", which no checkpoint has');
  });
});

it('finds values that are not finite wherever they are', () => {
  expect(allFinite(float32([1e38, -1e38, 0]))).toBe(true);
  expect(allFinite(float32([0, 1, Number.NaN]))).toBe(false);
  expect(allFinite(float32([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]))).toBe(false);
});

function checkpoint(): Checkpoint {
  return {
    state: {
      parameters: new Map([
        ['bias', float32([5, 6])],
        ['a/b.weight', float32([1, 2, 3, 4], [2, 2])],
      ]),
      buffers: new Map([['mean', float32([0.5])]]),
      optimizer: new Map([['momentum/a/b.weight', float32([0, 1, 0, 1], [2, 2])]]),
    },
    counters,
  };
}
