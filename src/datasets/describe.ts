import { counted, countInSplit, countPerClass, shownName, SPLITS, type Dataset } from './dataset.ts';
import { membersOf } from './groups.ts';

const LAYOUTS = {
  folders: 'a folder for each class',
  splits: 'ready-made splits of class folders',
  manifest: 'a manifest',
  parquet: 'Parquet',
} as const;

const SHOWN_CLASSES = 40;
const SHOWN_FILES = 10;

/** What was understood, in lines for a person; printed before anything is computed. */
export function describeDataset(dataset: Dataset): string {
  const splits = SPLITS.map((split) => ({ split, count: countInSplit(dataset, split) })).filter(
    ({ count }) => count > 0,
  );
  const lines = [
    `${shownName(dataset.root)}: ${dataset.classes.length === 0 ? 'no labels' : `${LAYOUTS[dataset.layout]}, ${counted(dataset.classes.length, 'class', 'classes')}`}, ` +
      `${counted(dataset.samples.length, 'image')} (${splits.map(({ split, count }) => `${split} ${count.toLocaleString('en-US')}`).join(', ')})`,
    ...(dataset.classes.length === 0 ? [] : classTable(dataset)),
  ];
  if (dataset.limitedLabels) lines.push('Only the chosen labels are used; the rest of train counts as unlabelled.');
  const groups = membersOf(dataset.samples).size;
  if (groups > 0) lines.push(`${counted(groups, 'group')}, never split.`);
  if (dataset.quarantined.length > 0) {
    lines.push(`Quarantined: ${counted(dataset.quarantined.length, 'file')}`);
    for (const { file, reason } of dataset.quarantined.slice(0, SHOWN_FILES))
      lines.push(`  ${shownName(file)}: ${reason}`);
    if (dataset.quarantined.length > SHOWN_FILES) lines.push(`  and ${dataset.quarantined.length - SHOWN_FILES} more`);
  }
  if (dataset.conflicts.length > 0) {
    lines.push(`Conflicts: ${counted(dataset.conflicts.length, 'image')} under several labels, left out of train`);
    for (const { files, labels } of dataset.conflicts.slice(0, SHOWN_FILES))
      lines.push(`  ${files.map((file, i) => `${shownName(file)} (${shownName(labels[i]!)})`).join(', ')}`);
    if (dataset.conflicts.length > SHOWN_FILES) lines.push(`  and ${dataset.conflicts.length - SHOWN_FILES} more`);
  }
  if (dataset.annotation !== undefined) lines.push(...annotationLines(dataset.annotation));
  for (const warning of dataset.warnings) lines.push(`Note: ${warning}`);
  return lines.join('\n');
}

function classTable(dataset: Dataset): string[] {
  const labelled = (['train', 'val', 'test'] as const)
    .map((split) => ({ split, counts: countPerClass(dataset, split) }))
    .filter(({ counts }) => counts.some((count) => count > 0));
  const shown = dataset.classes.slice(0, SHOWN_CLASSES).map(shownName);
  const width = Math.max(5, ...shown.map((name) => name.length));
  const row = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(width)}${cells.map((cell) => cell.padStart(8)).join('')}`;
  const lines = [
    row(
      'class',
      labelled.map(({ split }) => split),
    ),
    ...shown.map((name, label) =>
      row(
        name,
        labelled.map(({ counts }) => String(counts[label])),
      ),
    ),
  ];
  if (dataset.classes.length > SHOWN_CLASSES) lines.push(`  and ${dataset.classes.length - SHOWN_CLASSES} more`);
  return lines;
}

function annotationLines({ annotators, shared, disagreements }: NonNullable<Dataset['annotation']>): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const lines = [
    `Annotators: ${annotators.map(({ name, labels, accuracy }) => `${shownName(name)} (${counted(labels, 'label')}, right ${percent(accuracy)})`).join(', ')}`,
    `${counted(shared, 'image')} labelled by several, who disagree about ${disagreements.length}; joined by Dawid and Skene's method`,
  ];
  for (const { file, labels, joined, probability } of disagreements.slice(0, SHOWN_FILES))
    lines.push(
      `  ${shownName(file)}: ${Object.entries(labels).map(([who, what]) => `${shownName(who)} ${shownName(what)}`).join(', ')}: ${shownName(joined)} (${percent(probability)})`, // prettier-ignore
    );
  if (disagreements.length > SHOWN_FILES) lines.push(`  and ${disagreements.length - SHOWN_FILES} more`);
  return lines;
}
