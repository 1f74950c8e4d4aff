import type { Mistake } from '../../evaluate/mistakes.ts';
import { percent } from '../format.ts';
import { html, type Html } from '../html.ts';

/** Base64 images and nothing else: an SVG could hold a program. */
const PICTURE = /^data:image\/(png|jpeg|webp|gif|avif);base64,[A-Za-z0-9+/]+={0,2}$/;

/** What the model was surest of and wrong about: often a label that is wrong. */
export function mistakes(list: readonly Mistake[], pictures: Readonly<Record<string, string>>): Html {
  if (list.length === 0) return html``;
  return html`<h2 id="mistakes">Worst mistakes</h2>
    <p>
      The wrong answers that the model was surest of. Look for labels that are wrong, classes that overlap, and images
      of a kind that was missing in training.
    </p>
    <ul class="mistakes">
      ${list.map((mistake) => item(mistake, pictures[mistake.id]))}
    </ul>`;
}

function item({ id, label, predicted, probability, probabilityOfLabel }: Mistake, picture: string | undefined): Html {
  return html`<li>
    ${
      picture !== undefined && PICTURE.test(picture)
        ? html`<img src="${picture}" alt="${id}" loading="lazy" />`
        : html`<span class="absent">no picture</span>`
    }
    <p>
      said <strong>${predicted}</strong> (${percent(probability)})<br />is
      <strong>${label}</strong> (${percent(probabilityOfLabel)})<br /><code>${id}</code>
    </p>
  </li>`;
}
