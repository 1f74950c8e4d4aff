import { InputError } from '../core/errors.ts';
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

/** Whether a JSON document has the parts of COCO's annotations. */
export function isCoco(document: unknown): document is Entry {
  return isObject(document) && Array.isArray(document['images']);
}

/**
 * Images of COCO's format (https://cocodataset.org/#format-data): the classes of an image are those of its annotations,
 * whatever regions these mark; an image without any has no label. An image may say its `split`.
 * @param group name of the field of images whose values are groups
 * @throws InputError where a part is missing or is no list of objects
 */
export function cocoRows(document: Entry, manifest: string, group: string | undefined): ManifestRows {
  const problems: Problem[] = [];
  const images = entriesOf(document, 'images', manifest);
  const annotations = entriesOf(document, 'annotations', manifest);
  const names = new Map<unknown, string>();
  for (const { id, name } of entriesOf(document, 'categories', manifest)) {
    if (typeof name !== 'string' || name === '')
      throw new InputError(`${manifest}: the category ${JSON.stringify(id)} has no name.`);
    names.set(id, name);
  }
  const labels = new Map<unknown, Set<string>>();
  for (const [at, { id }] of images.entries()) {
    if (labels.has(id))
      problems.push({ at, where: `image ${shownId(id, at)}`, message: 'has the "id" of an earlier image' });
    labels.set(id, new Set());
  }
  for (const [index, { id, image_id: image, category_id: category }] of annotations.entries()) {
    const refuse = (message: string): void =>
      void problems.push({ at: images.length + index, where: `annotation ${shownId(id, index)}`, message });
    const [known, name] = [labels.get(image), names.get(category)];
    if (known === undefined) refuse(`is of the image ${JSON.stringify(image)}, which is not in "images"`);
    if (name === undefined) refuse(`has the category ${JSON.stringify(category)}, which is not in "categories"`);
    if (known !== undefined && name !== undefined) known.add(name);
  }
  const rows = images.map((image, at): ManifestRow => {
    const where = `image ${shownId(image['id'], at)}`;
    const refuse = (message: string): void => void problems.push({ at, where, message });
    return {
      at,
      where,
      path: textOf('file_name', image['file_name'], refuse),
      labels: [...labels.get(image['id'])!],
      split: textOf('split', fieldOf(image, 'split').value, refuse),
      group: group === undefined ? '' : textOf(group, image[group], refuse),
      annotator: '',
    };
  });
  return { rows, problems, hasGroup: group !== undefined && images.some((image) => Object.hasOwn(image, group)) };
}

function entriesOf(document: Entry, part: string, manifest: string): readonly Entry[] {
  const entries = document[part];
  if (!Array.isArray(entries) || !entries.every(isObject))
    throw new InputError(
      `${manifest}: COCO's format has a list of objects in "${part}", got ${entries === undefined ? 'none' : JSON.stringify(entries).slice(0, 60)}.`,
    );
  return entries;
}
