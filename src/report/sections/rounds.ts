import { count, number, percent } from '../format.ts';
import { html, type Html } from '../html.ts';
import { lineChart } from '../line-chart.ts';
import type { RoundSummary } from '../run-summary.ts';

/** Self-training by round: teacher and student on held-out images, how many machine labels were used, and how good they are. */
export function rounds(all: readonly RoundSummary[]): Html {
  if (all.length === 0) return html``;
  const points = (of: (round: RoundSummary, i: number) => number | undefined): [number, number][] =>
    all.flatMap((round, i): [number, number][] => {
      const y = of(round, i);
      return y === undefined ? [] : [[round.round, y]];
    });
  const accuracy = lineChart({
    title: 'Accuracy on held-out images',
    xLabel: 'round',
    unit: '%',
    series: [
      { name: 'teacher', look: 'second', points: points((_, i) => all[i - 1]?.accuracy) },
      { name: 'student', look: 'first', points: points((round) => round.accuracy) },
    ],
  });
  const labels = lineChart({
    title: 'Machine labels',
    xLabel: 'round',
    unit: '%',
    yRange: [0, 1],
    series: [
      { name: 'used', look: 'first', points: points(({ used, unlabelled }) => used && used / unlabelled!) },
      { name: 'estimated to be right', look: 'second', points: points(({ expectedRight }) => expectedRight) },
    ],
  });
  const heldOut = all.find((round) => round.heldOut !== undefined)?.heldOut;
  return html`<h2 id="rounds">Rounds</h2>
    <p class="muted">
      Round 0 is the first teacher.
      ${heldOut === undefined ? 'No image was held out to judge rounds by.' : html`Rounds are judged on ${heldOut}.`}
    </p>
    <div class="side-by-side">${accuracy}${labels}</div>
    ${table(all)}`;
}

function table(all: readonly RoundSummary[]): Html {
  const shown = (value: number | undefined, format: (value: number) => string): string =>
    value === undefined ? '–' : format(value);
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">round</th>
          <th scope="col">network</th>
          <th scope="col" class="number">labels used</th>
          <th scope="col" class="number">like no class</th>
          <th scope="col" class="number">estimated right</th>
          <th scope="col" class="number">held-out accuracy</th>
          <th scope="col" class="number">likelier by</th>
          <th scope="col">kept</th>
        </tr>
      </thead>
      <tbody>
        ${all.map(
          ({
            round,
            network,
            used,
            unlabelled,
            setAside,
            expectedRight,
            accuracy,
            rise,
            riseInterval,
            isKept,
            reasons,
          }) =>
            html`<tr>
              <td class="number">${round}</td>
              <td>${network}</td>
              <td class="number">${used === undefined ? '–' : `${count(used)} of ${count(unlabelled!)}`}</td>
              <td class="number">${shown(setAside, count)}</td>
              <td class="number">${shown(expectedRight, percent)}</td>
              <td class="number">${shown(accuracy, percent)}</td>
              <td class="number">
                ${rise === undefined ? '–' : `${number(rise)} (${number(riseInterval![0])} to ${number(riseInterval![1])})`}
              </td>
              <td>
                ${isKept ? 'yes' : 'no'}${reasons !== undefined && reasons.length > 0 && html`: ${reasons.join('; ')}`}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
