import { fieldOf, isObject, textOf, type ManifestRow, type ManifestRows, type Problem } from './manifest-rows.ts';

/**
 * Rows of a manifest of one JSON object a line.
 * @param group name of the field whose values are groups
 */
export function jsonLinesRows(text: string, _manifest: string, group?: string): ManifestRows {
  const rows: ManifestRow[] = [];
  const problems: Problem[] = [];
  let hasGroup = false;
  for (const [index, source] of text.split(/\r\n|\n|\r/).entries()) {
    if (source.trim() === '') continue;
    const at = index + 1;
    const where = `line ${at}`;
    const refuse = (message: string): void => void problems.push({ at, where, message });
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch (error) {
      refuse(`is not JSON (${(error as Error).message})`);
      continue;
    }
    if (!isObject(value)) {
      refuse('is not a JSON object');
      continue;
    }
    const [path, label, split, annotator] = (['path', 'label', 'split', 'annotator'] as const).map((column) =>
      fieldOf(value, column),
    );
    const labels = (Array.isArray(label!.value) ? label!.value : [label!.value]).map((one) =>
      textOf(label!.key, one, refuse),
    );
    hasGroup ||= group !== undefined && Object.hasOwn(value, group);
    rows.push({
      at,
      where,
      path: textOf(path!.key, path!.value, refuse),
      labels: [...new Set(labels)].filter((one) => one !== ''),
      split: textOf(split!.key, split!.value, refuse),
      group: group !== undefined && Object.hasOwn(value, group) ? textOf(group, value[group], refuse) : '',
      annotator: textOf(annotator!.key, annotator!.value, refuse),
    });
  }
  return { rows, problems, hasGroup };
}
