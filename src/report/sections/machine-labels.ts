import { count, percent } from '../format.ts';
import { html, type Html } from '../html.ts';
import { picture } from '../picture.ts';
import type { MachineLabelExample, MachineLabelsSummary } from '../run-summary.ts';

/** What a machine labelled, by examples of the labels that are worth a look. */
export function machineLabels({ round, images, used, setAside, file, examples }: MachineLabelsSummary): Html {
  return html`<h2 id="machine-labels">Machine labels</h2>
    <p>
      ${count(used)} of ${count(images)} machine labels of the last round (${round}) are
      used.${setAside > 0 && html` ${count(setAside)} images look like none of the classes.`} Every label, with the
      images most like it and what became of it, is in <code>${file}</code>; <code>gleaner why</code> says it of one
      image.
    </p>
    ${examples
      .filter(({ labels }) => labels.length > 0)
      .map(
        ({ title, labels }) =>
          html`<h3>${title}</h3>
            <ul class="mistakes">
              ${labels.map(item)}
            </ul>`,
      )}`;
}

function item({ file, label, probability, chance, before, picture: uri }: MachineLabelExample): Html {
  return html`<li>
    ${picture(uri, file)}
    <p>
      <strong>${label}</strong> (${percent(probability)})${chance !== undefined && html`, chance ${percent(chance)}`}${
        before !== undefined && html`<br />before: ${before}`
      }<br /><code>${file}</code>
    </p>
  </li>`;
}
