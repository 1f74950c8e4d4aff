import { scale, tickLabels, ticks } from './axis.ts';
import { number, percent } from './format.ts';
import { html, type Html } from './html.ts';

export interface Series {
  readonly name: string;
  /** Colour and dashes: `first` or `second` of the style sheet. */
  readonly look: 'first' | 'second';
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  /** `%` for shares, 0..1. */
  readonly unit: '' | '%';
  /** Default: what the points need. */
  readonly yRange?: readonly [number, number];
}

const WIDTH = 460;
const HEIGHT = 240;
const PLOT = { left: 52, right: WIDTH - 14, top: 14, bottom: HEIGHT - 36 };

/** Curves over whole numbers (epochs) as an inline SVG with its own legend and a description in words. */
export function lineChart(chart: LineChart): Html {
  const points = chart.series.flatMap((series) => series.points).filter((point) => point.every(Number.isFinite));
  if (points.length === 0) return html``;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const yTicks = ticks(...(chart.yRange ?? ([Math.min(...ys), Math.max(...ys)] as const)));
  const yLabels = tickLabels(yTicks, chart.unit);
  const xRange: [number, number] = [Math.min(...xs), Math.max(...xs)];
  if (xRange[0] === xRange[1]) xRange[1]++;
  const xTicks = [...new Set(ticks(...xRange, 6).map(Math.round))].filter(
    (x) => x >= xRange[0] && x <= Math.max(...xs),
  );
  const x = scale(xRange, [PLOT.left, PLOT.right]);
  const y = scale([yTicks[0]!, yTicks.at(-1)!], [PLOT.bottom, PLOT.top]);
  return html`<figure class="chart">
    <figcaption>
      ${chart.title}${chart.series.length > 1 && html`<span class="legend">${chart.series.map(legend)}</span>`}
    </figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${chart.title}: ${inWords(chart)}">
      ${yTicks.map(
        (tick, i) =>
          html`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(tick)}" y2="${y(tick)}" />
            <text class="tick" text-anchor="end" x="${PLOT.left - 6}" y="${y(tick) + 4}">${yLabels[i]!}</text>`,
      )}
      ${xTicks.map((tick) => html`<text class="tick" text-anchor="middle" x="${x(tick)}" y="${PLOT.bottom + 16}">${tick}</text>`)}
      <text class="tick" text-anchor="end" x="${PLOT.right}" y="${HEIGHT - 4}">${chart.xLabel}</text>
      ${chart.series.map(({ look, points: own }) => {
        const drawn = own.filter((point) => point.every(Number.isFinite));
        return html`<polyline class="line ${look}" points="${drawn.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}" />
          ${drawn.length <= 30 && drawn.map(([px, py]) => html`<circle class="dot ${look}" cx="${x(px)}" cy="${y(py)}" r="2.5" />`)}`;
      })}
    </svg>
  </figure>`;
}

function legend({ name, look }: Series): Html {
  return html`<span
    ><svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
      <line class="line ${look}" x1="0" x2="24" y1="4" y2="4" /></svg
    >${name}</span
  >`;
}

function inWords({ series, unit }: LineChart): string {
  const format = unit === '%' ? percent : number;
  return series
    .filter(({ points }) => points.length > 0)
    .map(({ name, points }) => `${name} from ${format(points[0]![1])} to ${format(points.at(-1)![1])}`)
    .join('; ');
}
