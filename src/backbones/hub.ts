import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { InputError, suggestion } from '../core/errors.ts';
import { download, downloaded, type DownloadOptions, type RemoteFile } from './download.ts';
import { reach } from './remote-url.ts';
import type { BackboneSpec } from './spec.ts';

/** A model repository of the Hugging Face Hub, a copy of what was asked of it in `folder`. */
export interface HubRepository {
  readonly spec: Extract<BackboneSpec, { kind: 'hub' }>;
  readonly folder: string;
  readonly files: readonly HubFile[];
}

interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly checksum?: NonNullable<RemoteFile['checksum']>;
}

export interface HubOptions extends DownloadOptions {
  /** Folder for copies of hub files. */
  readonly cache: string;
  /** Reads only what is in the cache. */
  readonly offline: boolean;
  /** Address of the hub. Default: https://huggingface.co. */
  readonly hubUrl?: string;
  /** For private and gated repositories. */
  readonly token?: string;
}

const LISTING = 'files.json';

/**
 * Lists a repository; the list is kept in the cache, and used from there without asking again.
 * @throws InputError where there is no network, no such repository, or no permission.
 */
export async function openHubRepository(spec: HubRepository['spec'], options: HubOptions): Promise<HubRepository> {
  const folder = join(options.cache, 'hub', spec.repo.replace('/', '--'), encodeURIComponent(spec.revision));
  const kept = await readFile(join(folder, LISTING), 'utf8').catch(() => undefined);
  if (kept !== undefined) return { spec, folder, files: JSON.parse(kept) as HubFile[] };
  if (options.offline)
    throw new InputError(
      `hf:${spec.repo} is not in the cache, and downloads are turned off (HF_HUB_OFFLINE or GLEANER_OFFLINE).`,
    );
  const { listFiles } = await import('@huggingface/hub');
  const files: HubFile[] = [];
  try {
    for await (const entry of listFiles({
      repo: spec.repo,
      revision: spec.revision,
      recursive: true,
      ...access(options),
    })) {
      if (entry.type !== 'file') continue;
      const { path, size, lfs, oid } = entry;
      const hex = lfs?.oid ?? oid;
      files.push({
        path,
        size,
        ...(hex !== undefined && { checksum: { kind: lfs === undefined ? 'git' : 'sha256', hex } }),
      });
    }
  } catch (error) {
    throw asInputError(spec, error);
  }
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(join(folder, LISTING), JSON.stringify(files));
  return { spec, folder, files };
}

/**
 * The local copy of a file of the repository, downloaded where it is missing.
 * @throws InputError where the repository has no such file, or it is missing offline; RunError as `download`.
 */
export async function hubFile(
  repository: HubRepository,
  path: string,
  options: HubOptions,
): Promise<{ path: string; sha256: string }> {
  const { spec, folder, files } = repository;
  const listed = files.find((file) => file.path === path);
  if (listed === undefined)
    throw new InputError(
      `hf:${spec.repo} (${spec.revision}) has no file "${path}"${suggestion(
        path,
        files.map((file) => file.path),
      )}.`,
    );
  const local = join(folder, 'files', ...path.split('/'));
  const known = await downloaded(local);
  if (known !== undefined) return { path: local, sha256: known };
  const name = `hf:${spec.repo}/${path}`;
  if (options.offline)
    throw new InputError(
      `${name} is not in the cache, and downloads are turned off (HF_HUB_OFFLINE or GLEANER_OFFLINE).`,
    );
  const { downloadFile, fileDownloadInfo } = await import('@huggingface/hub');
  const where = { repo: spec.repo, path, revision: spec.revision, ...access(options) };
  try {
    const downloadInfo = await fileDownloadInfo(where);
    const blob = downloadInfo === null ? null : await downloadFile({ ...where, downloadInfo });
    if (downloadInfo === null || blob === null)
      throw new InputError(`${name} is listed, but the hub does not have it.`);
    const file: RemoteFile = {
      name,
      identity: `${name}@${spec.revision} ${downloadInfo.etag}`,
      size: downloadInfo.size,
      ...(listed.checksum && { checksum: listed.checksum }),
      async open(offset) {
        const rest = offset === 0 ? blob : blob.slice(offset, downloadInfo.size);
        return { offset, chunks: rest.stream() as unknown as Readable };
      },
    };
    await mkdir(dirname(local), { recursive: true });
    return { path: local, sha256: await download(file, local, options) };
  } catch (error) {
    // The branch may have moved since the list was made.
    await rm(join(folder, LISTING), { force: true });
    throw asInputError(spec, error);
  }
}

/** Parts of a file's name that mark a smaller, less exact copy. */
const REDUCED = /(int8|uint8|int4|q4|q8|bnb4|quantized|fp16|float16)/i;

/**
 * The model file of a repository or folder: the image side of a network that reads text, too (`vision_model.onnx`), else `model.onnx`,
 * a single ONNX file, or `model.safetensors`.
 * @param files paths with forward slashes
 * @throws InputError listing what there is, where the choice is not clear.
 */
export function chooseModelFile(files: readonly string[], where: string): string {
  const onnx = files.filter((file) => file.endsWith('.onnx'));
  const full = onnx.filter((file) => !REDUCED.test(file));
  const candidates = full.length > 0 ? full : onnx;
  const named = ['vision_model.onnx', 'model.onnx'].flatMap((name) =>
    candidates.filter((file) => file === name || file.endsWith(`/${name}`)).toSorted((a, b) => a.length - b.length),
  );
  const chosen = named[0] ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (chosen !== undefined) return chosen;
  if (candidates.length > 1)
    throw new InputError(`${where} has several ONNX files; name one: ${candidates.join(', ')}.`);
  const safetensors = files.filter((file) => file.endsWith('.safetensors'));
  if (safetensors.includes('model.safetensors')) return 'model.safetensors';
  if (safetensors.length === 1) return safetensors[0]!;
  throw new InputError(
    `${where} holds no model that can be read: expected an .onnx file or model.safetensors, found ${files.slice(0, 12).join(', ') || 'nothing'}.`,
  );
}

function access({ hubUrl, token, signal }: HubOptions): { hubUrl: string; fetch: typeof fetch; accessToken?: string } {
  return {
    hubUrl: (hubUrl ?? 'https://huggingface.co').replace(/\/$/, ''),
    fetch: (input, init) => reach(input instanceof Request ? input.url : input, { ...init, ...(signal && { signal }) }),
    ...(token && { accessToken: token }),
  };
}

function asInputError(spec: HubRepository['spec'], error: unknown): unknown {
  const { statusCode } = error as { statusCode?: number };
  if (statusCode === undefined) return error;
  const reason =
    statusCode === 404 || statusCode === 401
      ? 'there is no such repository or revision, or it needs a token (HF_TOKEN)'
      : statusCode === 403
        ? 'access is not granted; its page says how to ask for it'
        : `the hub answered ${statusCode}`;
  return new InputError(`hf:${spec.repo} (${spec.revision}) can not be read: ${reason}.`, { cause: error });
}
