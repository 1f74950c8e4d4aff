import { counted, duration, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { RunSummary } from '../run-summary.ts';
import { cautions } from '../cautions.ts';

const METHODS: Readonly<Record<string, string>> = {
  probe: 'A new last layer on frozen features',
  finetune: 'Fine-tuned from a pretrained network',
  scratch: 'Trained from scratch',
  plan: 'Trained by a plan within a budget of time',
  distill: 'Taught by another network',
};

/** The name, the one figure, and what has to be known before believing it. */
export function headline(run: RunSummary): Html {
  const { evaluation } = run;
  return html`<h1>${run.name}</h1>
    <p class="muted">
      ${[
        run.method !== undefined && (METHODS[run.method] ?? run.method),
        run.network?.name,
        run.state !== undefined && run.state !== 'finished' && `state: ${run.state}`,
        run.startedAt?.slice(0, 10),
        run.seconds !== undefined && duration(run.seconds),
      ]
        .filter((part) => part !== undefined && part !== false)
        .join(' · ')}
    </p>
    ${
      evaluation === undefined
        ? html`<p class="headline">${withoutScore(run)}</p>`
        : html`<p class="headline">
            <strong>${percent(evaluation.accuracy)}</strong> of
            ${counted(evaluation.n, 'image')}${run.scoredOn !== undefined && html` (${run.scoredOn})`} are right; 95 %
            interval ${percentRange(evaluation.interval)}.
          </p>`
    }
    ${[...(run.warnings ?? []), ...cautions(run)].map((text) => html`<p class="warning">${text}</p>`)}`;
}

function withoutScore({ teacher, state }: RunSummary): string {
  if (teacher === undefined || state !== 'finished') return 'This run has no score yet.';
  const unknown = 'No image with a label was there to score on: the accuracy is unknown.';
  if (teacher.agreement === undefined) return unknown;
  return `${unknown} Student and teacher agree on ${percent(teacher.agreement.agreement)} of ${teacher.agreement.comparedOn}.`;
}
