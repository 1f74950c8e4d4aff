import { setMaxListeners } from 'node:events';
import { Worker } from 'node:worker_threads';
import { AbortedError, RunError } from '../core/errors.ts';
import type { Handlers } from './worker-server.ts';
import { unpackError, type Reply, type Request } from './worker-messages.ts';
import { forget, newWorkerState, waitAtExit, type WorkerState } from './worker-state.ts';

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  /** Takes the listener off the caller's signal. */
  readonly done: () => void;
}

export interface CallOptions {
  /** Memory among the arguments that is moved instead of copied. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Stops the call between two of its runs, or before it begins. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A worker thread that answers calls in order (`serve` on its side). It keeps the process alive only
 * while a call is pending; when the thread dies, every pending and later call is rejected.
 */
export class WorkerClient<Api extends Handlers> {
  #what: string;
  #worker: Worker;
  #state: WorkerState = newWorkerState();
  #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Why no more calls are taken. */
  #ended: Error | undefined;
  #exited: Promise<void>;

  /** @param what names the thread in messages: `the engine`. */
  constructor(file: URL, what: string) {
    this.#what = what;
    // The process's own flags (--input-type, --import) are not for this file.
    this.#worker = new Worker(file, { workerData: this.#state, name: what, execArgv: [] });
    this.#worker.unref();
    waitAtExit(this.#state);
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#end(new RunError(`The thread of ${what} died: ${error.message}`)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        forget(this.#state);
        this.#end(new RunError(`The thread of ${what} ended unexpectedly (code ${code}).`));
        resolve();
      });
    });
  }

  call<Method extends keyof Api & string>(
    method: Method,
    args: Parameters<Api[Method]>,
    options: CallOptions = {},
  ): Promise<Awaited<ReturnType<Api[Method]>>> {
    const { signal, transfer = [] } = options;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(new AbortedError('Stopped before it began.'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // Throws for what can't be cloned or moved, before anything is noted.
      this.#post({ id, method, args }, transfer);
      const abort = () => this.#post({ cancel: id });
      // One a call that waits, however many these are: Node.js takes more than ten for a leak.
      if (signal !== undefined) setMaxListeners(0, signal);
      signal?.addEventListener('abort', abort, { once: true });
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(id, { resolve, reject, done: () => signal?.removeEventListener('abort', abort) });
    });
  }

  /** Withdraws what has not begun, waits for the run in hand, and ends the thread. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      for (const id of this.#pending.keys()) this.#post({ cancel: id });
      const closed = this.call('close', [] as unknown as Parameters<Api['close']>);
      this.#ended = new RunError(`${this.#what} was disposed.`.replace(/^./, (first) => first.toUpperCase()));
      await closed;
    }
    // Nothing is pending, and yet the process must live until the thread is gone.
    this.#worker.ref();
    await this.#exited;
  }

  #post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, [...transfer]);
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    pending.done();
    if ('error' in reply) pending.reject(unpackError(reply.error));
    else pending.resolve(reply.value as never);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const pending of this.#pending.values()) {
      pending.done();
      pending.reject(error);
    }
    this.#pending.clear();
  }
}
