import type { ReliabilityBin } from '../evaluate/calibration.ts';
import { wilsonInterval } from '../evaluate/interval.ts';
import { scale } from './axis.ts';
import { percent } from './format.ts';
import { html, type Html } from './html.ts';

const SIDE = 300;
const PLOT = { left: 44, right: SIDE - 10, top: 10, bottom: SIDE - 40 };

/**
 * How often answers of a given confidence are right. Bins of equally many images, each with its 95 %
 * interval: a bin whose bar meets the diagonal says nothing against the model.
 * @param before the bins at temperature 1, drawn hollow, where the model was scaled.
 */
export function reliabilityDiagram(
  after: readonly ReliabilityBin[],
  before: readonly ReliabilityBin[] | undefined,
): Html {
  const x = scale([0, 1], [PLOT.left, PLOT.right]);
  const y = scale([0, 1], [PLOT.bottom, PLOT.top]);
  const marks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const words = after.map((bin) => `${percent(bin.accuracy)} right at ${percent(bin.confidence)}`).join(', ');
  return html`<figure class="chart narrow">
    <figcaption>
      Reliability${
        before !== undefined &&
        html`<span class="legend"
          ><span
            ><svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
              <circle class="dot first" cx="4" cy="4" r="4" /></svg
            >as exported</span
          ><span
            ><svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
              <circle class="hollow" cx="4" cy="4" r="3" /></svg
            >before temperature scaling</span
          ></span
        >`
      }
    </figcaption>
    <svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="Reliability diagram: ${words}">
      ${marks.map(
        (mark) =>
          html`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(mark)}" y2="${y(mark)}" />
            <text class="tick" text-anchor="end" x="${PLOT.left - 6}" y="${y(mark) + 4}"
              >${(100 * mark).toFixed(0)}</text
            >
            <text class="tick" text-anchor="middle" x="${x(mark)}" y="${PLOT.bottom + 16}"
              >${(100 * mark).toFixed(0)}</text
            >`,
      )}
      <line class="diagonal" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" />
      ${before?.map((bin) => html`<circle class="hollow" cx="${x(bin.confidence)}" cy="${y(bin.accuracy)}" r="3" />`)}
      ${after.map((bin) => {
        const [low, high] = wilsonInterval(Math.round(bin.accuracy * bin.count), bin.count);
        return html`<line
            class="whisker"
            x1="${x(bin.confidence)}"
            x2="${x(bin.confidence)}"
            y1="${y(low)}"
            y2="${y(high)}"
          />
          <circle class="dot first" cx="${x(bin.confidence)}" cy="${y(bin.accuracy)}" r="4" />`;
      })}
      <text class="tick" text-anchor="middle" x="${(PLOT.left + PLOT.right) / 2}" y="${SIDE - 6}">confidence, %</text>
      <text class="tick" text-anchor="middle" transform="translate(11 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)">
        right, %
      </text>
    </svg>
  </figure>`;
}
