// Ten labels a class of photos of clothes, a pretrained network fine-tuned: which policy suits as the default.
import { basename, join } from 'node:path';
import { trainCell } from '../support/train-cell.mjs';

/** What `gleaner train --method finetune` does where it is told nothing. */
export const FINETUNE_POLICY = 'randomresizedcrop(scale=0.5..1,ratio=0.75..1.333)|flip';

export const clothing = {
  name: 'clothing',
  about: 'a pretrained network fine-tuned, 10 labels a class',
  flags: { lists: { type: 'string' }, backbone: { type: 'string' } },
  needs: ['data', 'lists', 'backbone'],
  base: 'flipcrop',
  metrics: ['accuracy'],
  arms({ backbone }) {
    const added = {
      flipcrop: '',
      colorjitter: '|colorjitter',
      'randaugment-5': '|randaugment(2,5)',
      'randaugment-7': '|randaugment(2,7)',
      'randaugment-9': '|randaugment(2,9)',
      trivialaugment: '|trivialaugment',
      cutmix: '|cutmix(1)',
    };
    const shared = { backbone: basename(backbone) };
    return [
      ...Object.entries(added).map(([name, more]) => ({
        name,
        options: { ...shared, augment: `${FINETUNE_POLICY}${more}` },
      })),
      // Told nothing; only by name, as it is the first arm until the default is another.
      { name: 'default', options: shared, isExtra: true },
    ];
  },
  open: async ({ data, lists, backbone }) => ({
    run: ({ options, seed }, place) =>
      trainCell(
        {
          method: 'finetune',
          ...options,
          backbone,
          data,
          seed,
          labelsList: join(lists, `clothing-10-per-class-seed${seed}.txt`),
        },
        place,
      ),
  }),
};
