import type { Annotation } from './join-annotators.ts';
import { InputError } from '../core/errors.ts';
import { compareText, counted, shownList, type Layout, type Quarantined, type Split } from './dataset.ts';
import { walk, type FoundFile, type Walk, type WalkOptions } from './walk.ts';

/** How a folder is to be read: `auto` looks at the names of the top folders. */
export type FolderLayout = 'auto' | 'classes' | 'splits';

/** A file that may be an image, with what its place says. */
export interface Candidate extends FoundFile {
  readonly split: Split;
  /** Name of its class; absent where it has no label. */
  readonly className?: string;
  /** By class, what several annotators say together, 0..1; `className` is the likeliest. */
  readonly chances?: Readonly<Record<string, number>>;
  /** Name of the group it belongs to (a patient, a product), which is never split. */
  readonly group?: string;
}

export interface Candidates {
  readonly layout: Layout;
  readonly candidates: readonly Candidate[];
  /** Every class that has a folder, even an empty one. */
  readonly classNames: readonly string[];
  readonly quarantined: readonly Quarantined[];
  readonly ignored: readonly string[];
  readonly warnings: readonly string[];
  /** Whether candidates say their groups themselves, by a column of that name. */
  readonly hasGroup: boolean;
  /** Where several annotators were joined. */
  readonly annotation?: Annotation;
}

const SPLIT_NAMES: Readonly<Record<string, Split>> = {
  train: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  test: 'test',
  unlabeled: 'unlabeled',
  unlabelled: 'unlabeled',
};

/**
 * Reads a folder per class (images at any depth below), or ready-made splits of such folders. Images in
 * `unlabeled/`, loose in the root, or loose in `train/` have no label.
 * @throws InputError where there are no classes, unless they may be missing.
 */
export async function readFolder(
  root: string,
  options: WalkOptions & { readonly layout?: FolderLayout; readonly labelsOptional?: boolean } = {},
  walked?: Walk,
): Promise<Candidates> {
  const tree = walked ?? (await walk(root, options));
  const tops = tree.folders.filter((id) => !id.includes('/'));
  const auto = options.layout === undefined || options.layout === 'auto';
  const asSplits = auto ? looksLikeSplits(tree, tops) : options.layout === 'splits';
  const warnings = walkWarnings(tree);
  const placed = asSplits ? placeInSplits(tree, tops, warnings) : placeInClasses(tree, tops, auto, warnings);
  if (placed.classNames.length === 0 && !(options.labelsOptional ?? false))
    throw new InputError(noClasses(root, tree, asSplits));
  return {
    layout: asSplits ? 'splits' : 'folders',
    candidates: placed.candidates,
    classNames: placed.classNames.toSorted(compareText),
    quarantined: [
      ...tree.unnameable.map((id) => ({
        file: id,
        reason: 'its name, or that of a folder it is in, is not valid UTF-8 and can not be opened: rename it',
      })),
      ...tree.closed.map(({ id, reason }) => ({ file: id, reason })),
    ],
    ignored: [...tree.hidden, ...placed.ignored],
    warnings,
    hasGroup: false,
  };
}

interface Placed {
  readonly candidates: readonly Candidate[];
  readonly classNames: readonly string[];
  readonly ignored: readonly string[];
}

/** Every top folder is named like a split, at least one other than `unlabeled`, and each of these holds folders. */
function looksLikeSplits(tree: Walk, tops: readonly string[]): boolean {
  const labelled = tops.filter((top) => splitOf(top) !== 'unlabeled');
  return (
    labelled.length > 0 &&
    labelled.every((top) => splitOf(top) !== undefined && tree.folders.some((id) => id.startsWith(`${top}/`)))
  );
}

function placeInSplits(tree: Walk, tops: readonly string[], warnings: string[]): Placed {
  const strangers = tops.filter((top) => splitOf(top) === undefined);
  if (strangers.length > 0)
    warnings.push(`${shownList(strangers)}: not the name of a split (train, val, test, unlabeled), so passed over`);
  for (const split of ['train', 'val', 'test'] as const) {
    const names = tops.filter((top) => splitOf(top) === split);
    if (names.length > 1) warnings.push(`${names.join(' and ')} are read together as the split "${split}"`);
  }
  const classNames = new Set<string>();
  for (const id of tree.folders) {
    const [top, name, ...deeper] = id.split('/') as [string, string?, ...string[]];
    const split = splitOf(top);
    if (name !== undefined && deeper.length === 0 && split !== undefined && split !== 'unlabeled' && !isUnlabeled(name))
      classNames.add(name);
  }
  const candidates: Candidate[] = [];
  const ignored: string[] = [];
  const loose: string[] = [];
  for (const found of tree.files) {
    const parts = found.id.split('/');
    const split = parts.length === 1 ? 'unlabeled' : splitOf(parts[0]!);
    const className = split === 'unlabeled' || parts.length < 3 || isUnlabeled(parts[1]!) ? undefined : parts[1]!;
    if (split === undefined) ignored.push(found.id);
    else if (className !== undefined) candidates.push({ ...found, split, className });
    else if (split === 'unlabeled' || split === 'train') candidates.push({ ...found, split: 'unlabeled' });
    else loose.push(found.id);
  }
  if (loose.length > 0)
    warnings.push(
      `${counted(loose.length, 'file')} of val or test in no class folder, passed over: ${shownList(loose)}`,
    );
  return { candidates, classNames: [...classNames], ignored: [...ignored, ...loose] };
}

function placeInClasses(tree: Walk, tops: readonly string[], auto: boolean, warnings: string[]): Placed {
  const classTops = tops.filter((top) => !isUnlabeled(top));
  // One folder that only holds folders (images/cat, images/dog) can't be meant as the only class.
  const [only] = classTops;
  const wrapped =
    auto && classTops.length === 1 && only !== undefined && holdsOnlyFolders(tree, only) ? `${only}/` : undefined;
  if (wrapped !== undefined)
    warnings.push(`"${only}" is the only folder and holds only folders: these are the classes`);
  const depth = wrapped === undefined ? 0 : 1;
  const classNames = tree.folders
    .filter((id) => (wrapped === undefined || id.startsWith(wrapped)) && id.split('/').length === depth + 1)
    .map((id) => id.split('/')[depth]!)
    .filter((name) => !isUnlabeled(name));
  const candidates = tree.files.map((found): Candidate => {
    const parts = found.id.split('/');
    const className = parts.length > depth + 1 && !isUnlabeled(parts[0]!) ? parts[depth]! : undefined;
    return className === undefined || isUnlabeled(className)
      ? { ...found, split: 'unlabeled' }
      : { ...found, split: 'train', className };
  });
  return { candidates, classNames, ignored: [] };
}

function holdsOnlyFolders(tree: Walk, top: string): boolean {
  const below = tree.files.filter(({ id }) => id.startsWith(`${top}/`));
  const folders = tree.folders.filter((id) => id.startsWith(`${top}/`) && id.split('/').length === 2);
  return folders.length > 1 && below.every(({ id }) => id.split('/').length > 2);
}

function splitOf(name: string): Split | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(SPLIT_NAMES, key) ? SPLIT_NAMES[key] : undefined;
}

function isUnlabeled(name: string): boolean {
  return splitOf(name) === 'unlabeled';
}

function walkWarnings(tree: Walk): string[] {
  const { links, hidden, unnameable } = tree;
  const warnings: string[] = [];
  if (hidden.length > 0)
    warnings.push(
      `passed over ${counted(hidden.length, 'hidden or system entry', 'hidden or system entries')}: ${shownList(hidden)}`,
    );
  if (links.length > 0)
    warnings.push(
      `${counted(links.length, 'link')} not followed (--follow-links follows those that lead to no loop): ${shownList(links)}`,
    );
  if (unnameable.length > 0)
    warnings.push(`${counted(unnameable.length, 'name')} not valid UTF-8, quarantined: ${shownList(unnameable)}`);
  return warnings;
}

function noClasses(root: string, tree: Walk, asSplits: boolean): string {
  const wanted = asSplits
    ? 'expected class folders in its splits (train/cat, train/dog, test/cat, ...)'
    : 'expected a folder for each class (cat/, dog/, ...)';
  const images = tree.files.length;
  return `${root} holds no classes: ${wanted}, found ${counted(tree.folders.length, 'folder')} and ${counted(images, 'file')}.`;
}
