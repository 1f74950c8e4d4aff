import { workerData } from 'node:worker_threads';
import { Track } from '../core/profile.ts';
import type { DeviceName } from './devices.ts';
import { EngineHost } from './engine-host.ts';
import { serve } from './worker-server.ts';
import type { WorkerState } from './worker-state.ts';

/** The thread that the engine lives in: making a session and running it block the event loop. */

type Args<Method extends keyof EngineHost> = EngineHost[Method] extends (...args: infer Given) => unknown
  ? Given
  : never;

function handlers(cancelled: () => boolean) {
  let host: EngineHost | undefined;
  const engine = (): EngineHost => {
    if (host === undefined) throw new Error('The engine was not started.');
    return host;
  };
  return {
    async start(device: DeviceName | 'auto', threads: number, profiled: boolean) {
      const { host: started, ...rest } = await EngineHost.start(device, threads);
      host = started;
      if (profiled) host.track = new Track('engine');
      return rest;
    },
    devices: () => engine().devices(),
    load: (...args: Args<'load'>) => engine().load(...args),
    release: (...args: Args<'release'>) => engine().release(...args),
    put: (...args: Args<'put'>) => engine().put(...args),
    get: (...args: Args<'get'>) => engine().get(...args),
    free: (...args: Args<'free'>) => engine().free(...args),
    run: (requests: Args<'run'>[0]) => engine().run(requests, cancelled),
    time: (request: Args<'time'>[0], warmUp: number, runs: number) => engine().time(request, warmUp, runs, cancelled),
    training(is: boolean) {
      if (host?.track !== undefined) host.track.training = is;
    },
    profile: () => host?.track?.record(),
    close: () => host?.close(),
  };
}

export type EngineApi = ReturnType<typeof handlers>;

serve(workerData as WorkerState, handlers);
