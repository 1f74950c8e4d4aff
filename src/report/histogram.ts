import { scale, tickLabels, ticks } from './axis.ts';
import { html, type Html } from './html.ts';

export interface Histogram {
  readonly title: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  /** Shares of bins of equal width between `from` and `to`. */
  readonly series: readonly {
    readonly name: string;
    readonly look: 'first' | 'second';
    readonly shares: readonly number[];
  }[];
}

const WIDTH = 300;
const HEIGHT = 120;
const PLOT = { left: 8, right: WIDTH - 8, top: 8, bottom: HEIGHT - 22 };

/** One or two distributions over each other, as outlines. */
export function histogram({ title, unit, from, to, series }: Histogram): Html {
  const most = Math.max(...series.flatMap(({ shares }) => shares));
  if (!(most > 0)) return html``;
  const range: [number, number] = to > from ? [from, to] : [from - 0.5, from + 0.5];
  const x = scale(range, [PLOT.left, PLOT.right]);
  const y = scale([0, most], [PLOT.bottom, PLOT.top]);
  const marks = ticks(...range, 4).filter((tick) => tick >= range[0] && tick <= range[1]);
  const labels = tickLabels(marks, '');
  return html`<figure class="chart narrow">
    <figcaption>${title} <span class="legend">${unit}</span></figcaption>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      role="img"
      aria-label="${title}: ${series.map(({ name, shares }) => `${name} mostly near ${peakOf(shares, range)}`).join('; ')}"
    >
      <line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${PLOT.bottom}" y2="${PLOT.bottom}" />
      ${marks.map((tick, i) => html`<text class="tick" text-anchor="middle" x="${x(tick)}" y="${PLOT.bottom + 15}">${labels[i]!}</text>`)}
      ${series.map(({ look, shares }) => html`<polyline class="line ${look}" points="${outline(shares, range, x, y)}" />`)}
    </svg>
  </figure>`;
}

/** Steps along the tops of the bins. */
function outline(
  shares: readonly number[],
  [from, to]: readonly [number, number],
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  const edge = (i: number): number => x(from + ((to - from) * i) / shares.length);
  const steps = shares.flatMap((share, i) => [`${edge(i)},${y(share)}`, `${edge(i + 1)},${y(share)}`]);
  return [`${edge(0)},${y(0)}`, ...steps, `${edge(shares.length)},${y(0)}`].join(' ');
}

function peakOf(shares: readonly number[], [from, to]: readonly [number, number]): string {
  const bin = shares.indexOf(Math.max(...shares));
  return (from + ((to - from) * (bin + 0.5)) / shares.length).toPrecision(3);
}
