// Curves as a small SVG file that needs nothing else.

const [WIDTH, HEIGHT] = [520, 300];
const PLOT = { left: 48, right: WIDTH - 110, top: 14, bottom: HEIGHT - 34 };
const COLOURS = ['#1f6feb', '#8a8a8a', '#c2410c', '#15803d'];

/**
 * @param series { name, points: [[x, y, deviation?], ...] }; y from 0 to 1, with its spread as a band
 * @returns the text of the file
 */
export function plot({ title, xLabel, series }) {
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const ys = all.flatMap(([, y, spread = 0]) => [y - spread, y + spread]);
  const [low, high] = [Math.floor(Math.min(...ys) * 10) / 10, Math.ceil(Math.max(...ys) * 10) / 10];
  const scale = (value, [from, to], [start, end]) => start + ((value - from) / (to - from)) * (end - start);
  const x = (value) => scale(value, [Math.min(...xs), Math.max(...xs)], [PLOT.left, PLOT.right]).toFixed(1);
  const y = (value) => scale(value, [low, high], [PLOT.bottom, PLOT.top]).toFixed(1);
  const ticks = Array.from({ length: Math.round((high - low) * 10) + 1 }, (_, i) => low + i / 10);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<title>${title}</title><rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...ticks.map(
      (tick) =>
        `<path d="M${PLOT.left} ${y(tick)}H${PLOT.right}" stroke="#ddd"/><text x="${PLOT.left - 6}" y="${y(tick)}" text-anchor="end" dy="4">${Math.round(100 * tick)} %</text>`,
    ),
    ...[...new Set(xs)].map(
      (value) => `<text x="${x(value)}" y="${PLOT.bottom + 14}" text-anchor="middle">${value}</text>`,
    ),
    `<text x="${PLOT.right}" y="${HEIGHT - 4}" text-anchor="end">${xLabel}</text>`,
    ...series.flatMap(({ name, points }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const edge = (sign) => points.map(([px, py, spread = 0]) => `${x(px)},${y(py + sign * spread)}`);
      const [lastX, lastY] = points.at(-1);
      return [
        `<polygon points="${[...edge(1), ...edge(-1).toReversed()].join(' ')}" fill="${colour}" opacity=".15"/>`,
        `<polyline points="${points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        `<text x="${x(lastX)}" y="${y(lastY)}" dx="6" dy="${4 + 12 * i}" fill="${colour}">${name}</text>`,
      ];
    }),
    '</svg>\n',
  ].join('\n');
}
