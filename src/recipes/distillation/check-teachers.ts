import { InputError } from '../../core/errors.ts';
import type { RunFolder } from '../../train/run-folder.ts';
import type { Teacher } from './teacher.ts';

/** @throws InputError where a teacher is another than when the run started */
export function checkTeachers(run: RunFolder, teachers: readonly Teacher[]): void {
  const before = run.config['teachers'] as readonly string[];
  const other = teachers.find(({ sha256 }, i) => sha256 !== before[i]);
  if (other !== undefined)
    throw new InputError(
      `The teacher ${other.source} changed since the run in ${run.path} started, so it can't end as it would have. Put it back, or start a new run.`,
    );
}
