import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/core/atomic-file.ts';
import { AbortedError, InputError, RunError } from '../../src/core/errors.ts';
import { download, downloaded, type RemoteFile } from '../../src/backbones/download.ts';
import { remoteUrl } from '../../src/backbones/remote-url.ts';
import { FileServer } from './file-server.ts';

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
let server: FileServer;
let folder: string;
let path: string;
beforeEach(async () => {
  server = await FileServer.start();
  folder = await mkdtemp(join(tmpdir(), 'gleaner-download-'));
  path = join(folder, 'model.onnx');
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const remote = async (): Promise<RemoteFile> => (await remoteUrl(new URL(`${server.url}/model.onnx`)))!;
const quick = { retries: 2, retryDelayMs: 1 };

test('a file comes whole, with its checksum beside it and nothing else', async () => {
  server.add('/model.onnx', content);
  expect(await download(await remote(), path)).toBe(sha256(content));
  expect(new Uint8Array(await readFile(path))).toEqual(content);
  expect((await readdir(folder)).toSorted()).toEqual(['model.onnx', 'model.onnx.download.json']);
  expect(await downloaded(path)).toBe(sha256(content));
});

test('an interrupted download goes on where it stopped, in the same call', async () => {
  server.add('/model.onnx', content, { breakAfter: [100_000, 50_000] });
  await download(await remote(), path, quick);
  expect(new Uint8Array(await readFile(path))).toEqual(content);
  const offsets = server.requests.map((request) => Number(/bytes=(\d+)-$/.exec(request)?.[1] ?? 0));
  expect(offsets.filter((offset) => offset > 0)).toEqual([100_000, 150_000]);
});

test('... and in a later call, where the first gave up', async () => {
  const file = server.add('/model.onnx', content, { breakAfter: [100_000, 1, 1] });
  await expect(download(await remote(), path, quick)).rejects.toThrow(
    /failed after 100002 of 300000 bytes.*the same command continues/,
  );
  expect(existsSync(path)).toBe(false);
  delete file.breakAfter;
  server.requests.length = 0;
  expect(await download(await remote(), path)).toBe(sha256(content));
  expect(server.requests.at(-1)).toBe('GET /model.onnx bytes=100002-');
});

test('what came of another version is thrown away', async () => {
  const file = server.add('/model.onnx', content, { breakAfter: [100_000, 1, 1] });
  await expect(download(await remote(), path, quick)).rejects.toThrow(RunError);
  file.content = content.map((byte) => byte ^ 255);
  delete file.breakAfter;
  await download(await remote(), path);
  expect(new Uint8Array(await readFile(path))).toEqual(file.content);
});

test('a server without ranges is read from the start again', async () => {
  server.add('/model.onnx', content, { breakAfter: [100_000], ignoreRanges: true });
  await download(await remote(), path, quick);
  expect(new Uint8Array(await readFile(path))).toEqual(content);
});

test('a server that can not promise the same bytes is read from the start again', async () => {
  server.add('/model.onnx', content, { breakAfter: [100_000], etag: 'W/"1"' });
  await download(await remote(), path, quick);
  expect(new Uint8Array(await readFile(path))).toEqual(content);
  expect(server.requests.slice(1)).toEqual(['GET /model.onnx', 'GET /model.onnx']);
});

test('content that does not match the checksum is refused and thrown away', async () => {
  server.add('/model.onnx', content);
  const file = { ...(await remote()), checksum: { kind: 'sha256', hex: sha256('other') } } as const;
  await expect(download(file, path)).rejects.toThrow(/damaged: expected the checksum/);
  expect(await readdir(folder)).toEqual([]);
});

test("git's checksum of small files is understood", async () => {
  server.add('/model.onnx', 'hello\n');
  // git hash-object of "hello\n".
  const checksum = { kind: 'git', hex: 'ce013625030ba8dba906f756967f9e9ca394464a' } as const;
  expect(await download({ ...(await remote()), checksum }, path)).toBe(sha256('hello\n'));
});

test('a copy that was changed on disk counts as missing', async () => {
  server.add('/model.onnx', content);
  await download(await remote(), path);
  await writeFile(path, 'rotten');
  expect(await downloaded(path)).toBeUndefined();
  expect(existsSync(path)).toBe(false);
});

test("two downloads of one file do not get in each other's way", async () => {
  server.add('/model.onnx', content);
  const sums = await Promise.all([download(await remote(), path), download(await remote(), path)]);
  expect(sums).toEqual([sha256(content), sha256(content)]);
  expect(server.requests.filter((request) => request === 'GET /model.onnx')).toHaveLength(1);
});

test('the lock of a process that is gone does not block', async () => {
  server.add('/model.onnx', content);
  // No process has this id: it is above the largest that Linux gives.
  await writeFile(`${path}.lock`, '99999999');
  expect(await download(await remote(), path)).toBe(sha256(content));
});

test('a signal stops it, and the part stays', async () => {
  server.add('/model.onnx', content);
  const controller = new AbortController();
  const stopped = download(await remote(), path, { signal: controller.signal, onProgress: () => controller.abort() });
  await expect(stopped).rejects.toThrow(AbortedError);
  expect(existsSync(`${path}.part`)).toBe(true);
});

test('no file and no network are told apart', async () => {
  expect(await remoteUrl(new URL(`${server.url}/none.onnx`))).toBeUndefined();
  const url = new URL(`${server.url}/model.onnx`);
  await server.stop();
  await expect(remoteUrl(url)).rejects.toThrow(InputError);
  await expect(remoteUrl(url)).rejects.toThrow(/can not be reached \(ECONNREFUSED\)\. Without a network/);
  server = await FileServer.start();
});
