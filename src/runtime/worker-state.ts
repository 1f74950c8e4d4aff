/**
 * A flag shared between a worker thread and the main thread. Ending a thread inside a native run aborts
 * the whole process ("terminate called after throwing an instance of 'Napi::Error'"), so before the
 * process exits the main thread asks every worker to stop and waits until none is inside the engine.
 */
const STOP = 0;
const BUSY = 1;
/** A run that takes longer than this is abandoned; the process then ends by abort. */
const LONGEST_WAIT_MS = 60_000;

export type WorkerState = Int32Array<SharedArrayBuffer>;

export function newWorkerState(): WorkerState {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** On the worker: whether native work may start. Where it may, `leave` must follow. */
export function enter(state: WorkerState): boolean {
  Atomics.store(state, BUSY, 1);
  if (!stopping(state)) return true;
  leave(state);
  return false;
}

/** On the worker: whether the process is ending, so that a long call is to stop where it can. */
export function stopping(state: WorkerState): boolean {
  return Atomics.load(state, STOP) !== 0;
}

/** On the worker: native work is over. */
export function leave(state: WorkerState): void {
  Atomics.store(state, BUSY, 0);
  Atomics.notify(state, BUSY);
}

const states = new Set<WorkerState>();

/** On the main thread: the process waits for this worker before it exits, until `forget`. */
export function waitAtExit(state: WorkerState): void {
  if (states.size === 0) process.on('exit', stopAll);
  states.add(state);
}

export function forget(state: WorkerState): void {
  states.delete(state);
  if (states.size === 0) process.off('exit', stopAll);
}

function stopAll(): void {
  for (const state of states) Atomics.store(state, STOP, 1);
  const end = Date.now() + LONGEST_WAIT_MS;
  for (const state of states) Atomics.wait(state, BUSY, 1, Math.max(0, end - Date.now()));
}
