import { list } from './coco.ts';
import { fieldsOf, type ExportedData } from './labelled-image.ts';

/**
 * Tasks that Label Studio imports (https://labelstud.io/guide/tasks): labels as annotations, what a machine says as
 * predictions with their `score`, and its evidence in the tasks' `meta`. Images are files below the folder that Label Studio
 * is told to serve (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT).
 * @param modelVersion of the predictions, without the round
 */
export function* labelStudioParts({ images }: ExportedData, modelVersion: string): Generator<string> {
  yield '[';
  yield* list(
    images.map((image, index) => ({ image, id: index + 1 })),
    ({ image, id }) => {
      const { path, label, machine } = image;
      return {
        id,
        data: { image: `/data/local-files/?d=${encodeURIComponent(path)}`, ...fieldsOf(image) },
        annotations: label === undefined ? [] : [{ id, result: [choice(label)] }],
        predictions:
          machine === undefined
            ? []
            : [
                {
                  model_version: `${modelVersion} ${machine['round']}`,
                  score: machine['probability'],
                  result: [choice(String(machine['label']))],
                },
              ],
        ...(machine && { meta: { machine } }),
      };
    },
  );
  yield ']\n';
}

function choice(name: string): object {
  return { from_name: 'label', to_name: 'image', type: 'choices', value: { choices: [name] } };
}
