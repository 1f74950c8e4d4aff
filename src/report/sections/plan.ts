import { duration, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { PlanSummary } from '../run-summary.ts';

/** Why each stage was run, kept or dropped, and what is expected of the model. */
export function plan({ budget, stages, estimate, remarks = [] }: PlanSummary): Html {
  const seconds = (value: number | undefined): string => (value === undefined ? '–' : duration(value));
  return html`<h2 id="plan">Plan</h2>
    <p class="muted">
      Within ${duration(budget)}. Stages are judged on the labelled images alone; their scores decide nothing.
    </p>
    ${
      estimate &&
      html`<p>
        From the labelled images alone, <strong>${percent(estimate.accuracy)}</strong> of new images are expected to be
        right; 95 % interval ${percentRange(estimate.interval)}. ${estimate.found}
      </p>`
    }
    ${remarks.map((text) => html`<p class="warning">${text}</p>`)}
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">stage</th>
            <th scope="col"></th>
            <th scope="col">why</th>
            <th scope="col" class="number">planned</th>
            <th scope="col" class="number">took</th>
            <th scope="col" class="number">score</th>
          </tr>
        </thead>
        <tbody>
          ${stages.map(
            ({ stage, state, why, planned, seconds: took, accuracy }) =>
              html`<tr>
                <th scope="row">${stage}</th>
                <td>${state}</td>
                <td>${why}</td>
                <td class="number">${seconds(planned)}</td>
                <td class="number">${seconds(took)}</td>
                <td class="number">${accuracy === undefined ? '–' : percent(accuracy)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}
