import type { CalibrationMetrics } from '../../evaluate/calibration.ts';
import type { Evaluation } from '../../evaluate/evaluation.ts';
import { count, counted, number, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';
import { reliabilityDiagram } from '../reliability-diagram.ts';
import type { AbstainSummary, OtherScore, RunSummary } from '../run-summary.ts';

/** The figures beside accuracy. */
export function score(run: RunSummary, evaluation: Evaluation): Html {
  return html`<h2 id="score">Score</h2>
    <dl class="figures">
      ${figure('Accuracy', percent(evaluation.accuracy), percentRange(evaluation.interval))}
      ${figure('Balanced accuracy', percent(evaluation.balancedAccuracy), 'mean over classes')}
      ${figure('Macro F1', evaluation.macroF1.toFixed(3), 'mean over classes')}
      ${evaluation.topFive !== undefined && figure('Among the first five', percent(evaluation.topFive), `of ${evaluation.classes.length} classes`)}
      ${figure('Log loss', number(evaluation.nll), 'nats, lower is better')}
      ${figure('Calibration error', percent(evaluation.calibrationError), 'confidence minus accuracy')}
    </dl>
    ${otherScores(run.otherScores ?? [])} ${openings(run)}`;
}

/** Whether the probabilities mean what they say, and when the model should rather say nothing. */
export function confidence(run: RunSummary, evaluation: Evaluation): Html {
  const isScaled = evaluation.temperature !== 1;
  const row = (name: string, value: (metrics: CalibrationMetrics) => string): Html =>
    html`<tr>
      <th scope="row">${name}</th>
      ${isScaled && html`<td class="number">${value(evaluation.uncalibrated)}</td>`}
      <td class="number">${value(evaluation)}</td>
    </tr>`;
  return html`<h2 id="confidence">Confidence</h2>
    <p>
      A calibrated model that says 80 % is right in 80 % of such cases. The diagram compares what it says with how often
      it is right, each point a group of equally many images with its 95 % interval.
    </p>
    <div class="side-by-side">
      ${reliabilityDiagram(evaluation.reliability, isScaled ? evaluation.uncalibrated.reliability : undefined)}
      <div class="fill">
        <table>
          <caption>
            ${isScaled ? `Before and after temperature scaling (T = ${number(evaluation.temperature)})` : 'Without temperature scaling'}
          </caption>
          <thead>
            <tr>
              <td></td>
              ${isScaled && html`<th scope="col" class="number">before</th>`}
              <th scope="col" class="number">${isScaled ? 'after' : 'value'}</th>
            </tr>
          </thead>
          <tbody>
            ${row('Calibration error', (m) => percent(m.calibrationError))}
            ${row('– bins of equal width', (m) => percent(m.calibrationErrorEqualWidth))}
            ${row('Log loss', (m) => number(m.nll))} ${row('Brier score', (m) => number(m.brier))}
          </tbody>
        </table>
        ${run.abstain !== undefined && abstaining(run.abstain)}
      </div>
    </div>`;
}

function abstaining({ wantedPrecision, result, foundOn }: AbstainSummary): Html {
  const on = foundOn === undefined ? '' : ` (${foundOn})`;
  return html`<h3>When to abstain</h3>
    ${
      result === undefined
        ? html`<p>
            No probability was found above which ${percent(wantedPrecision)} of the answers are right${on}: the model
            has no abstain threshold.
          </p>`
        : html`<p>
            At a probability of ${percent(result.threshold)} or more, ${percent(result.precision)} of the answers are
            right${on}; ${percent(result.coverage)} of the images get an answer. Wanted: ${percent(wantedPrecision)}.
          </p>`
    }`;
}

function otherScores(scores: readonly OtherScore[]): Html {
  if (scores.length === 0) return html``;
  return html`<table>
    <caption>
      Other images; the run is not judged by these
    </caption>
    <thead>
      <tr>
        <th scope="col">images</th>
        <th scope="col" class="number">accuracy</th>
        <th scope="col" class="number">95 % interval</th>
        <th scope="col" class="number">number</th>
      </tr>
    </thead>
    <tbody>
      ${scores.map(
        ({ name, accuracy, interval, n }) =>
          html`<tr>
            <td>${name}</td>
            <td class="number">${percent(accuracy)}</td>
            <td class="number">${interval === undefined ? '–' : percentRange(interval)}</td>
            <td class="number">${count(n)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function openings({ testOpenings }: RunSummary): Html {
  if (testOpenings === undefined) return html``;
  if (testOpenings.length === 0) return html`<p class="muted">The test images were never looked at.</p>`;
  return html`<p class="muted">
    The test images were looked at ${testOpenings.length === 1 ? 'once' : counted(testOpenings.length, 'time')}:
    ${testOpenings.map(({ reason, at }) => (at === undefined ? reason : `${reason} (${at.slice(0, 10)})`)).join('; ')}.
  </p>`;
}

function figure(name: string, value: string, note: string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}<small>${note}</small></dd>
  </div>`;
}
