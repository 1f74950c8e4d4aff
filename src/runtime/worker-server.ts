import { parentPort } from 'node:worker_threads';
import { AbortedError, RunError } from '../core/errors.ts';
import { buffersOf } from './transfer.ts';
import { packError, type Reply, type Request } from './worker-messages.ts';
import { enter, leave, stopping, type WorkerState } from './worker-state.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- any function may be a handler; the client checks arguments.
export type Handlers = Readonly<Record<string, (...args: any[]) => unknown>>;

/**
 * Answers the calls of a `WorkerClient`, one at a time and in order. Memory in a result is moved, not
 * copied. The method `close` is the last: its answer ends the thread.
 * @param makeHandlers is handed a function that tells whether the caller withdrew the call in hand.
 */
export function serve(state: WorkerState, makeHandlers: (cancelled: () => boolean) => Handlers): void {
  const port = parentPort;
  if (port === null) throw new Error('serve() works in a worker thread only.');
  const withdrawn = new Set<number>();
  let current = 0;
  const handlers = makeHandlers(() => withdrawn.has(current) || stopping(state));
  let last: Promise<void> = Promise.resolve();

  const answer = async (id: number, method: string, args: readonly unknown[]): Promise<void> => {
    current = id;
    let reply: Reply;
    if (withdrawn.has(id)) reply = { id, error: packError(new AbortedError('Stopped before it began.')) };
    else if (!enter(state)) reply = { id, error: packError(new RunError('The process is ending.')) };
    else
      try {
        reply = { id, value: await handlers[method]!(...args) };
      } catch (error) {
        reply = { id, error: packError(error) };
      } finally {
        leave(state);
      }
    withdrawn.delete(id);
    port.postMessage(reply, [...buffersOf('value' in reply ? reply.value : undefined)]);
    if (method === 'close') port.close();
  };

  port.on('message', (request: Request) => {
    if ('cancel' in request) withdrawn.add(request.cancel);
    else last = last.then(() => answer(request.id, request.method, request.args));
  });
}
