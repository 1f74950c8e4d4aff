import type { Evaluation } from '../../evaluate/evaluation.ts';
import { wilsonInterval } from '../../evaluate/interval.ts';
import { confusionList, confusionMatrix } from '../confusion-matrix.ts';
import { count, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';

/** Each class on its own, the weakest first, and what it is taken for. */
export function classes(evaluation: Evaluation): Html {
  const rows = Object.entries(evaluation.perClass).toSorted(([, a], [, b]) => (a.f1 ?? 2) - (b.f1 ?? 2));
  return html`<h2 id="classes">Classes</h2>
    <div class="scroll">
      <table>
        <caption>
          The weakest first. Recall: of the images of a class, the share that is found. Precision: of the answers, the
          share that is right.
        </caption>
        <thead>
          <tr>
            <th scope="col">class</th>
            <th scope="col" class="number">images</th>
            <th scope="col" class="number">precision</th>
            <th scope="col" class="number">recall</th>
            <th scope="col" class="number">95 % interval of recall</th>
            <th scope="col" class="number">F1</th>
            <td></td>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ([name, { support, precision, recall, f1 }]) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td class="number">${count(support)}</td>
                <td class="number">${precision === undefined ? '–' : percent(precision)}</td>
                <td class="number">${recall === undefined ? '–' : percent(recall)}</td>
                <td class="number">
                  ${recall === undefined ? '–' : percentRange(wilsonInterval(Math.round(recall * support), support))}
                </td>
                <td class="number">${f1 === undefined ? '–' : f1.toFixed(3)}</td>
                <td>
                  ${f1 !== undefined && html`<span class="bar" aria-hidden="true"><span style="width:${(100 * f1).toFixed(1)}%"></span></span>`}
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <h3>Confusion</h3>
    <div class="side-by-side">
      ${confusionMatrix(evaluation.confusion, evaluation.classes)}
      ${evaluation.classes.length > 2 && confusionList(evaluation.confusion, evaluation.classes)}
    </div>`;
}
