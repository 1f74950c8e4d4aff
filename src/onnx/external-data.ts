import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import { ModelError } from '../core/errors.ts';
import type { TensorProto } from './proto/onnx_pb.ts';

/**
 * The bytes of a tensor kept in a file of its own. The file must lie in the model's folder: a model
 * can come from anywhere and must not reach into the rest of the disk.
 * @throws ModelError for a location outside `folder` (by its text, or through a link), a file that
 * is missing or not a plain file, and an offset or length outside of it.
 */
export function readExternalData(proto: TensorProto, folder: string | undefined, expectedBytes: number): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const label = `External data of tensor "${proto.name}" at "${location}"`;
  if (folder === undefined)
    throw new ModelError(`${label}: a model without a folder can not have external data; load it from its file.`);
  const path = pathInside(folder, location, label);
  const offset = byteCount(entries.get('offset') ?? '0', `${label}: offset`);
  const length = byteCount(entries.get('length') ?? `${expectedBytes}`, `${label}: length`);
  if (length !== expectedBytes)
    throw new ModelError(`${label}: its shape and type take ${expectedBytes} bytes, its length is ${length}.`);
  const file = openSync(path, 'r');
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new ModelError(`${label} is not a plain file.`);
    if (offset + length > stat.size)
      throw new ModelError(`${label}: bytes ${offset} to ${offset + length} lie beyond its end at ${stat.size}.`);
    return readExactly(file, offset, length, label);
  } finally {
    closeSync(file);
  }
}

function pathInside(folder: string, location: string, label: string): string {
  const parts = location.split(/[/\\]/);
  if (
    location === '' ||
    location.includes('\0') ||
    isAbsolute(location) ||
    /^[a-z]:/i.test(location) ||
    parts[0] === ''
  )
    throw new ModelError(`${label}: the location must be a path relative to the model's folder.`);
  if (parts.includes('..')) throw new ModelError(`${label}: the location must not leave the model's folder.`);
  const root = realpathSync(folder);
  let path: string;
  try {
    path = realpathSync(join(root, location));
  } catch {
    throw new ModelError(`${label}: no such file in the model's folder. Download it and place it beside the model.`);
  }
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep))
    throw new ModelError(`${label}: the file is a link that leaves the model's folder.`);
  return path;
}

function byteCount(text: string, label: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new ModelError(`${label} must be a whole number of bytes, got "${text}".`);
  return value;
}

function readExactly(file: number, offset: number, length: number, label: string): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(file, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
    if (count === 0) throw new ModelError(`${label} ended after ${done} of ${length} bytes.`);
    done += count;
  }
  return bytes;
}
