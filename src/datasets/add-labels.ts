import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { InputError, suggestion } from '../core/errors.ts';
import { shownName, type Dataset, type Sample } from './dataset.ts';
import { csvRows } from './manifest-csv.ts';
import { jsonLinesRows } from './manifest-json-lines.ts';
import { listProblems, type Problem } from './manifest-rows.ts';

type Labelled = Pick<Dataset, 'classes' | 'samples' | 'quarantined'>;

/**
 * Labels unlabelled images as files say: CSV, TSV or JSON lines with the columns `path` and `label`, paths as they are in the data;
 * what has no label is passed over, so that a list of `suggest` need not be filled in to the end. The image is then one of train.
 * @throws InputError that lists every line that names no image, no class, a held-out image, or one of another label
 */
export async function addLabels(
  { classes, samples, quarantined }: Labelled,
  files: readonly string[],
): Promise<readonly Sample[]> {
  if (files.length === 0) return samples;
  const known = new Map(samples.map((sample) => [sample.id, sample]));
  const broken = new Map(quarantined.map(({ file, reason }) => [file, reason]));
  const given = new Map<string, { readonly label: string; readonly where: string }>();
  for (const file of files) {
    const { rows, problems: bad } = await rowsOf(file);
    const problems: Problem[] = [...bad];
    let added = 0;
    for (const { path, labels, at, where } of rows) {
      const [name, ...others] = labels;
      if (name === undefined) continue;
      const shown = shownName(path);
      const refuse = (message: string): void => void problems.push({ at, where, message });
      const sample = known.get(path) ?? known.get(`train/${path}`);
      const before = sample && given.get(sample.id);
      if (others.length > 0) refuse(`${shown} has ${labels.length} labels; one label an image is supported`);
      else if (!classes.includes(name))
        refuse(`${JSON.stringify(name)} is no class of the data${suggestion(name, classes)}; they are ${classes.map(shownName).join(', ')}`); // prettier-ignore
      else if (broken.has(path)) refuse(`${shown} is quarantined: ${broken.get(path)}`);
      else if (sample === undefined) refuse(`${shown} is not in the data`);
      else if (sample.split === 'val' || sample.split === 'test')
        refuse(`${shown} is in ${sample.split}, which nothing is learnt from`);
      else if (sample.label !== undefined && classes[sample.label] !== name)
        refuse(`${shown} has the label ${JSON.stringify(classes[sample.label])} in the data, and not ${JSON.stringify(name)}`); // prettier-ignore
      else if (before !== undefined && before.label !== name)
        refuse(`${shown} has the label ${JSON.stringify(before.label)} on ${before.where}, and not ${JSON.stringify(name)}`); // prettier-ignore
      else {
        given.set(sample.id, { label: name, where: `${where} of ${file}` });
        added++;
      }
    }
    if (problems.length > 0) throw new InputError(listProblems(file, problems));
    if (added === 0)
      throw new InputError(
        `${file} gives no label: no row of it has both a path and a label. Fill in its column "label".`,
      );
  }
  return samples.map((sample): Sample => {
    const label = given.get(sample.id);
    return label === undefined ? sample : { ...sample, split: 'train', label: classes.indexOf(label.label) };
  });
}

async function rowsOf(file: string): Promise<ReturnType<typeof csvRows>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new InputError(`Can't read the labels ${file}: ${(error as Error).message}.`, { cause: error });
  });
  const isLines = /^\.(?:jsonl|ndjson)$/i.test(extname(file));
  return isLines ? jsonLinesRows(text, file) : csvRows(text.replace(/^\uFEFF/, ''), file);
}
