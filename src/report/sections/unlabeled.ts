import { html, type Html } from '../html.ts';
import { lineChart } from '../line-chart.ts';
import type { UnlabeledSummary } from '../run-summary.ts';

/** What became of unlabelled images, step by step. */
export function unlabeled(points: readonly UnlabeledSummary[]): Html {
  const by = (key: keyof UnlabeledSummary): [number, number][] => points.map((point) => [point.step, point[key]]);
  const used = lineChart({
    title: 'Labels of unlabelled images',
    xLabel: 'step',
    unit: '%',
    yRange: [0, 1],
    series: [
      { name: 'used', look: 'first', points: by('used') },
      { name: 'confidence', look: 'second', points: by('confidence') },
    ],
  });
  const threshold = lineChart({
    title: 'Threshold of confidence, mean of the classes',
    xLabel: 'step',
    unit: '%',
    yRange: [0, 1],
    series: [{ name: 'threshold', look: 'first', points: by('threshold') }],
  });
  const classes = lineChart({
    title: 'Classes of the labels used, by their shares',
    xLabel: 'step',
    unit: '',
    series: [{ name: 'classes', look: 'first', points: by('classesUsed') }],
  });
  return html`<div class="side-by-side">${used}${threshold}${classes}</div>`;
}
