import { z } from 'zod';
import { FormatError, RunError } from '../core/errors.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../core/safetensors.ts';
import type { Tensor } from '../core/tensor.ts';

/** All that a training step reads and changes, in the parameters' own (unpacked) shapes. */
export interface TrainingState {
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Running statistics. */
  readonly buffers: ReadonlyMap<string, Tensor>;
  /** `momentum/fc.weight`, `average/fc.weight`, ... */
  readonly optimizer: ReadonlyMap<string, Tensor>;
}

const countersSchema = z.strictObject({
  /** Epochs done. */
  epoch: z.int().min(0),
  /** Steps done in the epoch after them. */
  stepInEpoch: z.int().min(0),
  /** Steps of the optimizer done in all. */
  step: z.int().min(0),
  /** Sum of the losses of the steps in this epoch. */
  lossSum: z.number(),
  /** The best validation score so far and the epoch, counted from 1, that reached it. */
  best: z.strictObject({ score: z.number(), epoch: z.int().min(1) }).optional(),
});

/** Where a run stands. Holds no time, path or name of the run: the same work gives the same bytes. */
export type Counters = z.output<typeof countersSchema>;

export interface Checkpoint {
  readonly state: TrainingState;
  readonly counters: Counters;
}

const FORMAT = 'gleaner-checkpoint-1';
const PARTS = { parameter: 'parameters', buffer: 'buffers', optimizer: 'optimizer' } as const;
type Prefix = keyof typeof PARTS;

/**
 * Saves a checkpoint: whole, checksummed and synced, or the file that was there before stays as it is. It is a
 * safetensors file of tensors `parameter/<name>`, `buffer/<name>`, `optimizer/<slot>/<name>`.
 * @throws RunError naming the tensor where a value is not finite, or the reason why it can't be written.
 */
export async function writeCheckpoint(path: string, { state, counters }: Checkpoint): Promise<void> {
  const tensors: [string, Tensor][] = [];
  for (const prefix of Object.keys(PARTS) as Prefix[])
    for (const [name, value] of state[PARTS[prefix]]) {
      if (!allFinite(value))
        throw new RunError(`${path} was not saved: ${prefix} "${name}" holds a value that is not finite.`);
      tensors.push([`${prefix}/${name}`, value]);
    }
  const metadata: [string, string][] = [
    ['format', FORMAT],
    ['counters', JSON.stringify(countersSchema.parse(counters))],
  ];
  await writeSafetensorsFile(path, tensors, metadata);
}

/** @throws FormatError where the file is damaged or not a checkpoint. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensorsFile(path, { requireChecksum: true });
  if (metadata.get('format') !== FORMAT)
    throw new FormatError(
      `${path} is not a checkpoint (format ${JSON.stringify(metadata.get('format') ?? 'absent')}, expected ${FORMAT}).`,
    );
  const state = {
    parameters: new Map<string, Tensor>(),
    buffers: new Map<string, Tensor>(),
    optimizer: new Map<string, Tensor>(),
  };
  for (const [key, value] of tensors) {
    const slash = key.indexOf('/');
    const prefix = key.slice(0, slash);
    if (!Object.hasOwn(PARTS, prefix)) throw new FormatError(`${path} holds "${key}", which no checkpoint has.`);
    state[PARTS[prefix as Prefix]].set(key.slice(slash + 1), value);
  }
  return { state, counters: parseCounters(metadata.get('counters'), path) };
}

/** Whether no element is NaN or infinite. */
export function allFinite({ data }: Tensor): boolean {
  if (!(data instanceof Float32Array)) return true;
  // A sum of products with 0 is 0 unless a value is not finite: faster than asking each.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0;
  return sum === 0;
}

function parseCounters(text: string | undefined, path: string): Counters {
  try {
    return countersSchema.parse(JSON.parse(text ?? ''));
  } catch (error) {
    throw new FormatError(`${path} has no readable counters: ${(error as Error).message}`);
  }
}
