import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from './errors.ts';

/** Left free beside what a run needs: logs, reports, and other programs. */
const RESERVE_BYTES = 64 * 2 ** 20;

/**
 * Makes sure, before any work, that a folder can be made and written, and that what will be saved fits.
 * @param neededBytes an estimate of all that will be written there
 * @throws InputError naming the folder and the reason.
 */
export async function checkDisk(folder: string, neededBytes: number): Promise<void> {
  const probe = join(folder, `.gleaner-probe-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(probe, 'probe');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(`Can't write to ${folder}: ${REASONS[code ?? ''] ?? message}.`, { cause: error });
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < neededBytes + RESERVE_BYTES)
    throw new InputError(
      `Not enough disk space in ${folder}: about ${megabytes(neededBytes + RESERVE_BYTES)} MB are needed, ${megabytes(free)} MB are free.`,
    );
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
};

const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6);
