import { html, type Html } from './html.ts';
import { renderPage } from './page.ts';
import type { RunSummary } from './run-summary.ts';
import { classes } from './sections/classes.ts';
import { data } from './sections/data.ts';
import { headline } from './sections/headline.ts';
import { machineLabels } from './sections/machine-labels.ts';
import { mistakes } from './sections/mistakes.ts';
import { plan } from './sections/plan.ts';
import { provenance } from './sections/provenance.ts';
import { rounds } from './sections/rounds.ts';
import { confidence, score } from './sections/score.ts';
import { teacher } from './sections/teacher.ts';
import { training } from './sections/training.ts';
import { variants } from './sections/variants.ts';

/**
 * A run as one HTML file: no network, no script, light and dark, and fit to be printed. The same summary
 * gives the same bytes.
 * @example
 * await writeFileAtomic('report.html', renderReport({ name: 'digits', evaluation }));
 */
export function renderReport(run: RunSummary): string {
  const { evaluation } = run;
  const sections: readonly (readonly [id: string, name: string, content: Html])[] = [
    ['score', 'Score', evaluation ? score(run, evaluation) : html``],
    ['plan', 'Plan', run.plan ? plan(run.plan) : html``],
    ['teacher', 'Teacher', run.teacher ? teacher(run.teacher) : html``],
    ['rounds', 'Rounds', rounds(run.rounds ?? [])],
    ['machine-labels', 'Machine labels', run.machineLabels ? machineLabels(run.machineLabels) : html``],
    ['training', 'Training', training(run.stages ?? [])],
    ['classes', 'Classes', evaluation ? classes(evaluation) : html``],
    ['confidence', 'Confidence', evaluation ? confidence(run, evaluation) : html``],
    ['mistakes', 'Worst mistakes', evaluation ? mistakes(evaluation.mistakes, run.pictures ?? {}) : html``],
    ['models', 'Model files', variants(run.variants ?? [])],
    ['data', 'Data', run.data ? data(run.data) : html``],
    ['made', 'How it was made', provenance(run)],
  ];
  return renderPage({
    title: run.name,
    header: headline(run),
    sections,
    footer: "Made by Gleaner. Intervals are Wilson's, at 95 %. This file needs no network.",
  });
}
