import { AbortedError } from '../core/errors.ts';

/**
 * Runs `work` on every item, at most `limit` at a time; results come in the order of the items. The first
 * failure ends it.
 * @throws AbortedError once `signal` has fired; work that was begun is waited for.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results = Array.from<R>({ length: items.length });
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      if (signal?.aborted) throw new AbortedError('Stopped while reading images.');
      const index = next++;
      results[index] = await work(items[index]!, index);
    }
  };
  const lanes = Array.from({ length: Math.min(limit, items.length) }, () =>
    lane().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  const ended = await Promise.allSettled(lanes);
  const broken = ended.find((lane) => lane.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  return results;
}
