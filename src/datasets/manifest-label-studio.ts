import { hasImageExtension } from '../images/format.ts';
import {
  fieldOf,
  isObject,
  shownId,
  textOf,
  type ManifestRow,
  type ManifestRows,
  type Problem,
} from './manifest-rows.ts';

type Entry = Readonly<Record<string, unknown>>;

/** Whether a JSON document is a list of tasks. */
export function isLabelStudio(document: unknown): document is readonly Entry[] {
  return Array.isArray(document) && document.every((task) => isObject(task) && isObject(task['data']));
}

/**
 * Tasks as Label Studio exports them (JSON, https://labelstud.io/guide/export): the classes of an image are what its
 * annotations choose. What was cancelled is passed over; predictions are what a machine said, and no labels. A task's data
 * may say its `split`.
 * @param group name of the field of the tasks' data whose values are groups
 */
export function labelStudioRows(tasks: readonly Entry[], group: string | undefined): ManifestRows {
  const rows: ManifestRow[] = [];
  const problems: Problem[] = [];
  let hasGroup = false;
  for (const [at, task] of tasks.entries()) {
    const where = `task ${shownId(task['id'], at)}`;
    const refuse = (message: string): void => void problems.push({ at, where, message });
    const data = task['data'] as Entry;
    hasGroup ||= group !== undefined && Object.hasOwn(data, group);
    rows.push({
      at,
      where,
      path: localFile(imageOf(data)),
      labels: choicesOf(task, refuse),
      split: textOf('split', fieldOf(data, 'split').value, refuse),
      group: group === undefined ? '' : textOf(group, data[group], refuse),
      annotator: '',
    });
  }
  return { rows, problems, hasGroup };
}

/** The field that is named like one of an image, else the one whose value is. */
function imageOf(data: Entry): string {
  const named = fieldOf(data, 'path').value;
  if (typeof named === 'string') return named;
  const found = Object.values(data).find((value) => typeof value === 'string' && hasImageExtension(value));
  return (found as string | undefined) ?? '';
}

/** Label Studio serves files of the machine it runs on under this address, by their path below a folder of its settings. */
function localFile(path: string): string {
  const served = /^\/data\/local-files\/?\?d=(.*)$/s.exec(path);
  if (served === null) return path;
  try {
    return decodeURIComponent(served[1]!);
  } catch {
    return served[1]!;
  }
}

function choicesOf(task: Entry, refuse: (message: string) => void): string[] {
  const labels = new Set<string>();
  const questions = new Set<string>();
  const annotations = task['annotations'] ?? [];
  if (!Array.isArray(annotations)) {
    refuse(`"annotations" is ${JSON.stringify(annotations)}; expected a list`);
    return [];
  }
  for (const [index, annotation] of (annotations as unknown[]).entries()) {
    const name = `annotation ${shownId(isObject(annotation) ? annotation['id'] : undefined, index)}`;
    if (!isObject(annotation) || !Array.isArray(annotation['result'])) {
      refuse(`${name} has no list "result"`);
      continue;
    }
    if (annotation['was_cancelled'] === true) continue;
    const answers = (annotation['result'] as unknown[]).filter(
      (result): result is Entry =>
        isObject(result) && isObject(result['value']) && Array.isArray(result['value']['choices']),
    );
    if (answers.length === 0 && annotation['result'].length > 0)
      refuse(`${name} holds no choices; classes are read from Choices`);
    for (const { from_name: question, value } of answers) {
      questions.add(String(question));
      for (const choice of (value as { readonly choices: readonly unknown[] }).choices) {
        if (typeof choice === 'string' && choice !== '') labels.add(choice);
        else refuse(`${name} chooses ${JSON.stringify(choice)}; expected the name of a class`);
      }
    }
  }
  if (questions.size > 1)
    refuse(`answers several questions (${[...questions].join(', ')}); one, which is the class, is supported`);
  return [...labels];
}
