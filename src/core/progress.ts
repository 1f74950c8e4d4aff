import type { ProfileRow } from './profile.ts';

/** What long-running work tells while it goes on; the command line draws it, `--json` prints it. */
export type Progress =
  /** A line for a person: what was understood, chosen or found. */
  | { readonly type: 'note'; readonly message: string }
  /** Something the person should look at; the work goes on. */
  | { readonly type: 'warning'; readonly message: string }
  /** A stage starts or ends. `seconds` is its duration, once ended. */
  | { readonly type: 'stage'; readonly stage: string; readonly state: 'start' | 'end'; readonly seconds?: number }
  /** Countable work inside a stage (images decoded, features computed, steps done). */
  | {
      readonly type: 'step';
      readonly stage: string;
      readonly done: number;
      readonly total: number;
      readonly unit: string;
      /** Mean loss of the last steps, while training. */
      readonly loss?: number;
      /** Units a second, once known. */
      readonly rate?: number;
      /** What was found so far, in a few words. */
      readonly found?: string;
    }
  /** An epoch of training ended. */
  | {
      readonly type: 'epoch';
      readonly stage: string;
      /** Counted from 1. */
      readonly epoch: number;
      readonly epochs: number;
      readonly loss: number;
      /** Of the body, at the epoch's end. */
      readonly learningRate: number;
      readonly imagesPerSecond: number;
      /** On validation images, 0..1, where there are any that may be used. */
      readonly accuracy?: number;
      readonly secondsLeft: number;
    }
  /** Where time went, once all is done or stopped. */
  | {
      readonly type: 'profile';
      /** A trace in Chrome's format; absent where it could not be written. */
      readonly file?: string;
      /** Of the whole job. */
      readonly seconds: number;
      /** What the engine's thread did while networks were trained: epochs with their validation and checkpoints. */
      readonly training: {
        readonly seconds: number;
        /** Share of that time in which the engine computed, 0..1. */
        readonly engineBusy: number;
        /** In which it had nothing to do, because images were not ready. */
        readonly engineWaiting: number;
        /** In which it had nothing to do for another reason: checkpoints, events, messages between threads. */
        readonly engineOtherwiseIdle: number;
      };
      /** Threads that make crops: those that training had at the end, and all, which evaluation has. */
      readonly decodingThreads?: { readonly training: number; readonly all: number };
      readonly rows: readonly ProfileRow[];
    };

export type OnProgress = (event: Progress) => void;
