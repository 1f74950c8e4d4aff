import type { OnProgress } from '../core/progress.ts';

/** How a caller follows and stops long-running work. */
export interface TrainControl {
  /** Stops between two steps, after saving. */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface ResumeControl extends TrainControl {
  /** Go on although the engine, or how it computes, differs. */
  readonly acceptEngine?: boolean;
  readonly acceptDataChange?: boolean;
  /** As the option of `train`; a run that was started with it goes on with it. */
  readonly profile?: boolean;
}
