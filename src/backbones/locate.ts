import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { sha256 } from '../core/atomic-file.ts';
import { cachePart } from '../core/cache-folder.ts';
import { InputError, ModelError } from '../core/errors.ts';
import { download, downloaded, type DownloadOptions } from './download.ts';
import { chooseModelFile, hubFile, openHubRepository, type HubOptions } from './hub.ts';
import { remoteUrl } from './remote-url.ts';
import type { BackboneSpec } from './spec.ts';

/** A backbone's file on this machine. */
export interface LocatedBackbone {
  readonly path: string;
  readonly sha256: string;
  /** What errors and reports call it. */
  readonly source: string;
  /** The file's name where it came from. */
  readonly fileName: string;
  /** A JSON file beside it, parsed; undefined where there is none. */
  readBeside(name: string): Promise<unknown>;
}

export interface LocateOptions extends DownloadOptions {
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Finds a backbone, downloading what is not in the cache.
 * @throws InputError, ModelError where there is no such file; RunError where a download fails.
 */
export async function locateBackbone(
  spec: Exclude<BackboneSpec, { kind: 'built-in' }>,
  options: LocateOptions = {},
): Promise<LocatedBackbone> {
  if (spec.kind === 'path') return onDisk(spec.path);
  const env = options.env ?? process.env;
  const offline = ['HF_HUB_OFFLINE', 'GLEANER_OFFLINE'].some((name) => /^(1|true|yes|on)$/i.test(env[name] ?? ''));
  const cache = cachePart('backbones', env);
  const { HF_ENDPOINT: hubUrl, HF_TOKEN: token } = env;
  if (spec.kind === 'url') return fromUrl(spec.url, cache, offline, options);
  return fromHub(spec, { ...options, cache, offline, ...(hubUrl && { hubUrl }), ...(token && { token }) });
}

async function onDisk(path: string): Promise<LocatedBackbone> {
  const info = await stat(path).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ModelError(`${path}: can not be read (${code === 'ENOENT' ? 'no such file' : message}).`, {
      cause: error,
    });
  });
  const file = info.isDirectory() ? join(path, chooseModelFile(await filesIn(path), path)) : path;
  const bytes = await readFile(file);
  return {
    path: file,
    sha256: sha256(bytes),
    source: file,
    fileName: basename(file),
    async readBeside(name) {
      const folder = dirname(file);
      return (
        (await readJson(join(folder, name))) ?? (isOnnxFolder(folder) ? readJson(join(folder, '..', name)) : undefined)
      );
    },
  };
}

/** As repositories have it: ONNX files lie in a folder, their configuration beside that. */
const isOnnxFolder = (folder: string): boolean => basename(resolve(folder)) === 'onnx';

async function filesIn(folder: string): Promise<string[]> {
  const own = await readdir(folder, { withFileTypes: true });
  const inside = own.some((entry) => entry.name === 'onnx' && entry.isDirectory())
    ? await readdir(join(folder, 'onnx'))
    : [];
  return [...own.map(({ name }) => name), ...inside.map((file) => `onnx/${file}`)];
}

async function fromUrl(url: URL, cache: string, offline: boolean, options: DownloadOptions): Promise<LocatedBackbone> {
  const fileName = decodeURIComponent(url.pathname.split('/').at(-1) ?? '') || 'model.onnx';
  const fetched = async (target: URL): Promise<{ path: string; sha256: string } | undefined> => {
    const folder = createHash('sha256').update(target.href).digest('hex').slice(0, 16);
    const path = join(cache, 'url', folder, safeName(decodeURIComponent(target.pathname.split('/').at(-1) ?? '')));
    const known = await downloaded(path);
    if (known !== undefined) return { path, sha256: known };
    if (offline)
      throw new InputError(
        `${target} is not in the cache, and downloads are turned off (HF_HUB_OFFLINE or GLEANER_OFFLINE).`,
      );
    const remote = await remoteUrl(target, options.signal);
    return remote && { path, sha256: await download(remote, path, options) };
  };
  const model = await fetched(url);
  if (model === undefined) throw new InputError(`There is no file at ${url}.`);
  return {
    ...model,
    source: url.href,
    fileName,
    async readBeside(name) {
      const beside = new URL(name, url);
      // Offline, what was not there when the model came is not there.
      const file = await fetched(beside).catch((error: unknown) => {
        if (offline) return undefined;
        throw error;
      });
      return file && readJson(file.path);
    },
  };
}

async function fromHub(spec: Extract<BackboneSpec, { kind: 'hub' }>, options: HubOptions): Promise<LocatedBackbone> {
  const repository = await openHubRepository(spec, options);
  const paths = repository.files.map((file) => file.path);
  const file = spec.file ?? chooseModelFile(paths, `hf:${spec.repo}`);
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : '';
  // Weights that an ONNX file keeps outside itself lie beside it, named after it.
  for (const external of paths.filter((path) => path === `${file}_data` || path === `${file}.data`))
    await hubFile(repository, external, options);
  const model = await hubFile(repository, file, options);
  return {
    ...model,
    source: `hf:${spec.repo}/${file}${spec.revision === 'main' ? '' : `@${spec.revision}`}`,
    fileName: file.slice(folder.length),
    async readBeside(name) {
      const path = [folder + name, name].find((candidate) => paths.includes(candidate));
      return path === undefined ? undefined : readJson((await hubFile(repository, path, options)).path);
    },
  };
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path} is not valid JSON: ${(error as Error).message}.`, { cause: error });
  }
}

function safeName(name: string): string {
  return name.replace(/[^\w.-]/g, '_').slice(-100) || 'file';
}
