import type { Mistake } from '../../evaluate/mistakes.ts';
import { percent } from '../format.ts';
import { html, type Html } from '../html.ts';
import { picture } from '../picture.ts';

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

function item({ id, label, predicted, probability, probabilityOfLabel }: Mistake, uri: string | undefined): Html {
  return html`<li>
    ${picture(uri, id)}
    <p>
      said <strong>${predicted}</strong> (${percent(probability)})<br />is
      <strong>${label}</strong> (${percent(probabilityOfLabel)})<br /><code>${id}</code>
    </p>
  </li>`;
}
