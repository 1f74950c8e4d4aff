import { AbortedError, InputError, RunError } from '../core/errors.ts';
import type { RemoteFile } from './download.ts';

/**
 * A file at a plain URL.
 * @returns undefined where the server has no such file (404, 410)
 * @throws InputError where there is no network or the server refuses.
 */
export async function remoteUrl(url: URL, signal?: AbortSignal): Promise<RemoteFile | undefined> {
  const init = (headers: Record<string, string>): RequestInit => ({
    headers: { 'Accept-Encoding': 'identity', ...headers },
    ...(signal && { signal }),
  });
  const first = await reach(url, init({ Range: 'bytes=0-0' }));
  await first.body?.cancel();
  if (first.status === 404 || first.status === 410) return undefined;
  if (!first.ok)
    throw new InputError(`${url} can not be downloaded: the server answered ${first.status} ${first.statusText}.`);
  const total =
    first.status === 206 ? first.headers.get('content-range')?.split('/')[1] : first.headers.get('content-length');
  const size = total === null || total === undefined || !/^\d+$/.test(total) ? undefined : Number(total);
  // A weak tag does not promise the same bytes.
  const tag = first.headers.get('etag');
  const validator = tag === null || tag.startsWith('W/') ? first.headers.get('last-modified') : tag;
  return {
    name: url.href,
    size,
    identity: `${url} ${validator ?? ''} ${size ?? ''}`,
    async open(offset) {
      // Without a validator the rest might be that of another file, so it starts again.
      const range = offset > 0 && validator !== null ? { Range: `bytes=${offset}-`, 'If-Range': validator } : {};
      let response = await fetch(url, init(range));
      // Nothing behind the part that is here: its end is not that of the file.
      if (response.status === 416) response = await fetch(url, init({}));
      if (!response.ok || response.body === null)
        throw new RunError(`the server answered ${response.status} ${response.statusText}`);
      const start = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? 0);
      return { offset: response.status === 206 ? start : 0, chunks: response.body };
    },
  };
}

/** `fetch`, with one clear error where the server can't be reached at all. */
export async function reach(url: URL | string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw new AbortedError(`Stopped while asking ${new URL(url).host}.`);
    const { cause, message } = error as Error;
    const code = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
    throw new InputError(
      `${new URL(url).host} can not be reached (${code}). Without a network, give --backbone a file, or a backbone that is in the cache already.`,
      { cause: error },
    );
  }
}
