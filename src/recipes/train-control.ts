import type { OnProgress } from '../core/progress.ts';

/** How a caller follows and stops long-running work. */
export interface TrainControl {
  /** Stops between two steps, after saving. */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}
