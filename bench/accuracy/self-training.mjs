// Ten labels a class of photos of clothes and the others without a label: what self-training adds to a probe and to
// fine-tuning, and what is left of it where foreign images are among the unlabelled.
import { copyFileSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { selfTrain } from '../../dist/index.js';
import { trainCell } from '../support/train-cell.mjs';

const LIST = 'clothing-10-per-class';
/** Of the unlabelled photos, so many foreign images beside them. */
const FOREIGN_SHARE = 0.5;

export const selfTraining = {
  name: 'self-training',
  about: 'few labels and many unlabelled photos, by several backbones, with and without foreign images',
  flags: {
    lists: { type: 'string' },
    // Of labels: `NAME-seedS.txt` in the folder of lists.
    list: { type: 'string', default: LIST },
    backbones: { type: 'string' },
    foreign: { type: 'string' },
    // Of all arms: histograms of gradients among the features.
    gradients: { type: 'boolean', default: false },
    // Of the plan, which is no arm by itself.
    budget: { type: 'string', default: '15m' },
  },
  needs: ['data', 'lists', 'backbones'],
  metrics: ['accuracy'],
  base: 'probe-1',
  /** `--backbones A.onnx,B.onnx`: arms end in the number of theirs. `--foreign DIR,DIR`: folders of foreign images. */
  arms({ backbones, foreign, gradients, budget, list }) {
    return backbones.split(',').flatMap((file, i) => {
      const backbone = basename(file);
      const common = { backbone, ...(gradients && { gradients }), ...(list !== LIST && { list }) };
      return [
        { name: `probe-${i + 1}`, options: { ...common, method: 'probe' } },
        { name: `finetune-${i + 1}`, options: { ...common, method: 'finetune', augment: STUDENT_POLICY } },
        { name: `self-train-${i + 1}`, options: { ...common, method: 'self-train' } },
        ...(foreign === undefined
          ? []
          : [{ name: `foreign-${i + 1}`, options: { ...common, method: 'self-train', foreign: FOREIGN_SHARE } }]),
        { name: `plan-${i + 1}`, options: { ...common, method: 'plan', budget }, isExtra: true },
      ];
    });
  },
  async open({ data, lists, backbones, foreign }, folder) {
    const files = new Map(backbones.split(',').map((file) => [basename(file), file]));
    const polluted = foreign === undefined ? undefined : withForeign(data, foreign.split(','), join(folder, 'foreign'));
    return {
      run({ options: { method, foreign: share, list = LIST, ...options }, seed }, place) {
        const given = {
          ...options,
          backbone: files.get(options.backbone),
          ...(share === undefined ? { data } : { data: polluted, followLinks: true }),
          seed,
          labelsList: join(lists, `${list}-seed${seed}.txt`),
        };
        if (method === 'self-train') return trainCell(given, place, undefined, selfTrain);
        return trainCell({ ...given, method }, place);
      },
    };
  },
};

/** The supervised arm gets the augmentation that students get. */
const STUDENT_POLICY = 'randomresizedcrop(scale=0.5..1,ratio=0.75..1.333)|flip|randaugment(2,9)';

/** The data with foreign images, taken evenly from the folders, in `unlabeled`. */
function withForeign(data, sources, folder) {
  mkdirSync(join(folder, 'unlabeled'), { recursive: true });
  for (const part of ['train', 'val', 'test']) symlinkSync(resolve(data, part), join(folder, part));
  const wanted = Math.round((FOREIGN_SHARE * imagesIn(join(data, 'train')).length) / sources.length);
  for (const [s, source] of sources.entries()) {
    const images = imagesIn(source);
    for (let i = 0; i < Math.min(wanted, images.length); i++) {
      const file = images[Math.floor((i * images.length) / Math.min(wanted, images.length))];
      copyFileSync(file, join(folder, 'unlabeled', `${s}-${i}${extname(file)}`));
    }
  }
  return folder;
}

function imagesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
