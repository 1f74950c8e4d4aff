import { join } from 'node:path';
import { renderWhyPage, type PictureWithText } from '../../report/why-page.ts';
import type { Neighbour } from './evidence.ts';
import { pictureOf } from './picture-of.ts';
import type { Why } from './why.ts';

/** Pixels of the longer side: enough to see what it is. */
const SIDE = 256;

/**
 * What `why` found as one page with the image and those most alike: no network, no script.
 * @example
 * await writeFile('why.html', await whyPage(await why('runs/003', 'unlabeled/17.jpg')));
 */
export async function whyPage({ file, root, rounds, sentences }: Why): Promise<string> {
  const shown = async (name: string, text: string): Promise<PictureWithText> => ({
    file: name,
    text,
    picture: await pictureOf(join(root, name), SIDE),
  });
  const all = (list: readonly Neighbour[]): Promise<PictureWithText[]> =>
    Promise.all(list.map((one) => shown(one.file, `${one.label}, similarity ${one.similarity.toFixed(2)}`)));
  const last = rounds.at(-1);
  return renderWhyPage({
    image: await shown(file, last === undefined ? 'no machine label' : last.label),
    sentences,
    rows: [
      { title: 'Labelled by a person', images: await all(last?.neighbours.labelled ?? []) },
      { title: 'Labelled by the machine', images: await all(last?.neighbours.machine ?? []) },
    ],
  });
}
