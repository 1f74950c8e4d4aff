import { duration, number, percent } from '../format.ts';
import { html, type Html } from '../html.ts';
import { lineChart } from '../line-chart.ts';
import type { EpochSummary, StageSummary } from '../run-summary.ts';
import { unlabeled } from './unlabeled.ts';

/** Curves of every stage that has epochs. */
export function training(stages: readonly StageSummary[]): Html {
  const trained = stages.filter(({ epochs }) => epochs.length > 0);
  if (trained.length === 0) return html``;
  return html`<h2 id="training">Training</h2>
    ${trained.map((stage) => curves(stage, trained.length > 1))}`;
}

function curves({ name, seconds, epochs, kept, unlabeled: seen }: StageSummary, isNamed: boolean): Html {
  return html`${isNamed && html`<h3>${name}</h3>`}
    <p class="muted">
      ${epochs.length}
      ${epochs.length === 1 ? 'epoch' : 'epochs'}${seconds !== undefined && html` in ${duration(seconds)}`}.${
        kept !== undefined && html` The weights of epoch ${kept.epoch} were kept: ${kept.reason}.`
      }
    </p>
    ${epochs.length === 1 ? table(epochs) : charts(epochs)}${seen !== undefined && unlabeled(seen)}`;
}

function charts(epochs: readonly EpochSummary[]): Html {
  const points = (key: 'loss' | 'validationLoss' | 'accuracy'): [number, number][] =>
    epochs.flatMap((epoch): [number, number][] => (epoch[key] === undefined ? [] : [[epoch.epoch, epoch[key]]]));
  const validation = points('validationLoss');
  const accuracy = points('accuracy');
  const loss = lineChart({
    title: 'Loss',
    xLabel: 'epoch',
    unit: '',
    series: [
      { name: 'training', look: 'first', points: points('loss') },
      ...(validation.length > 0 ? [{ name: 'validation', look: 'second' as const, points: validation }] : []),
    ],
  });
  const right = lineChart({
    title: 'Validation accuracy',
    xLabel: 'epoch',
    unit: '%',
    series: [{ name: 'validation', look: 'second', points: accuracy }],
  });
  return html`<div class="side-by-side">${loss}${right}</div>
    <details>
      <summary>The same as a table</summary>
      ${table(epochs)}
    </details>`;
}

const COLUMNS: readonly (readonly [name: string, key: keyof EpochSummary, format: (value: number) => string])[] = [
  ['epoch', 'epoch', String],
  ['loss', 'loss', number],
  ['validation loss', 'validationLoss', number],
  ['validation accuracy', 'accuracy', percent],
  ['learning rate', 'learningRate', number],
  ['images/s', 'imagesPerSecond', (value) => value.toFixed(0)],
];

function table(epochs: readonly EpochSummary[]): Html {
  const columns = COLUMNS.filter(([, key]) => epochs.some((epoch) => epoch[key] !== undefined));
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${columns.map(([name]) => html`<th scope="col" class="number">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${epochs.map(
          (epoch) =>
            html`<tr>
              ${columns.map(([, key, format]) => html`<td class="number">${epoch[key] === undefined ? '' : format(epoch[key])}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
