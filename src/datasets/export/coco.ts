import { fieldsOf, type ExportedData } from './labelled-image.ts';

/**
 * COCO's format (https://cocodataset.org/#format-data): a label is an annotation of the whole image. What a machine says
 * is not among the annotations but in `predictions`, as COCO's results with their `score` and the evidence beside it.
 */
export function* cocoParts({ images, classes }: ExportedData): Generator<string> {
  const idOf = new Map(classes.map((name, index) => [name, index + 1]));
  const numbered = images.map((image, index) => ({ image, id: index + 1 }));
  yield '{"info":{"description":"Exported by Gleaner"},\n"categories":';
  yield JSON.stringify(classes.map((name) => ({ id: idOf.get(name), name, supercategory: '' })));
  yield ',\n"images":[';
  yield* list(numbered, ({ image, id }) => {
    const { path, width, height } = image;
    return { id, file_name: path, width, height, ...fieldsOf(image) };
  });
  yield '],\n"annotations":[';
  yield* list(
    numbered.filter(({ image }) => image.label !== undefined),
    ({ image: { label, width, height }, id }) => ({
      id,
      image_id: id,
      category_id: idOf.get(label!),
      bbox: [0, 0, width, height],
      area: width * height,
      segmentation: [],
      iscrowd: 0,
    }),
  );
  yield '],\n"predictions":[';
  yield* list(
    numbered.filter(({ image }) => image.machine !== undefined),
    ({ image: { machine }, id }) => {
      const { label, probability, ...rest } = machine!;
      return { image_id: id, category_id: idOf.get(String(label)), score: probability, ...rest };
    },
  );
  yield ']}\n';
}

/** Elements of a JSON list, a line each. */
export function* list<T>(items: readonly T[], element: (item: T) => object): Generator<string> {
  for (const [index, item] of items.entries()) yield `${index === 0 ? '' : ','}\n${JSON.stringify(element(item))}`;
}
