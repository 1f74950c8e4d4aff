import { csvRow } from '../../core/csv.ts';
import { fieldsOf, type ExportedData } from './labelled-image.ts';

/** CSV with a header line: `path,label,split`, a `group` where there are any, and the evidence with `machine_` before its names. */
export function* csvLines({ images, evidence, hasGroups }: ExportedData): Generator<string> {
  const columns = ['path', 'label', 'split', ...(hasGroups ? ['group'] : [])];
  yield `${csvRow([...columns, ...evidence.map((name) => `machine_${name}`)])}\n`;
  for (const { path, label = '', split, group = '', machine } of images) {
    const cells = [path, label, split, ...(hasGroups ? [group] : [])];
    yield `${csvRow([...cells, ...evidence.map((name) => machine?.[name] ?? '')])}\n`;
  }
}

/** One JSON object a line, the evidence in a field `machine`. */
export function* jsonLines({ images }: ExportedData): Generator<string> {
  for (const image of images) {
    const { path, label = null, machine } = image;
    yield `${JSON.stringify({ path, label, ...fieldsOf(image), ...(machine && { machine }) })}\n`;
  }
}
