import { join } from 'node:path';
import { mapConcurrent } from '../../datasets/concurrent.ts';
import type { SheetRow } from '../../images/contact-sheet.ts';
import { decodeShrunk } from '../../images/decode-shrunk.ts';
import { percent } from '../../report/format.ts';
import { sheetPage } from '../../report/sheet-page.ts';
import type { LabelCheck } from './check-labels.ts';

const SIDE = 160;
/** Pictures a page: what a person looks through, and a browser bears. */
const SHOWN = 400;

/** A page of the labels that are probably wrong, with pictures, by the class that they were given; it holds all it needs. */
export async function labelPage({ root, classes, images, suspected, noise, labels }: LabelCheck): Promise<string> {
  const shown = labels.filter((label) => label.suspected).slice(0, SHOWN);
  const cells = await mapConcurrent(shown, 6, async ({ file, label, probable, believed, probability }) => ({
    label,
    pixels: await decodeShrunk(join(root, file), SIDE),
    caption: `${file}: probably ${probable} (${percent(probability)}, ${label} ${percent(believed)})`,
  }));
  const rows = classes.flatMap((name): SheetRow[] => {
    const own = cells.filter(({ label }) => label === name);
    return own.length === 0 ? [] : [{ title: `Labelled ${name}`, cells: own }];
  });
  const text =
    `${suspected} of ${images} labels are suspected; about ${percent(noise)} of all labels are estimated to be wrong. ` +
    `Shown are ${shown.length === suspected ? 'all' : `the ${shown.length} least believed`}, the least believed of each class first.`;
  return sheetPage({ title: 'Suspected labels', rows }, text);
}
