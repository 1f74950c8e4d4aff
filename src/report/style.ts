import { trusted, type Html } from './html.ts';

/** The report's style sheet: light, dark and print from one set of names. */
export const style: Html = trusted(`
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f6f8; --text: #1b1f24; --muted: #57606a; --rule: #d5dae0;
  --first: #0969da; --second: #bc4c00; --first-rgb: 9 105 218; --second-rgb: 217 95 2;
  --warning: #fff3d6; --warning-edge: #bf8700;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --panel: #181e25; --text: #e4e8ec; --muted: #9aa5b1; --rule: #343c46;
    --first: #6cb0ff; --second: #f0994e; --first-rgb: 66 146 255; --second-rgb: 235 125 40;
    --warning: #33290f; --warning-edge: #d4a72c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--first); }
code { font: .9em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { background: var(--panel); padding: .75rem 1rem; border-radius: 6px; overflow-x: auto; }
.muted { color: var(--muted); }
.warning { background: var(--warning); border-left: 4px solid var(--warning-edge); padding: .6rem 1rem; margin: .75rem 0; max-width: none; }
.headline { font-size: 1.1rem; margin: 1rem 0 0; }
.headline strong { font-size: 2.4rem; line-height: 1.1; font-weight: 650; margin-right: .35rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: 1rem 0 0; }
dl.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; margin: 1rem 0; }
dl.figures > div { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; }
dl.figures dt { color: var(--muted); font-size: .85rem; }
dl.figures dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
dl.figures dd small { display: block; font-size: .8rem; color: var(--muted); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: .75rem 0; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: .875rem; padding-bottom: .35rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
.bar { display: inline-block; width: 6rem; height: .55rem; background: var(--panel); border-radius: 3px; overflow: hidden; vertical-align: baseline; margin-left: .5rem; }
.bar > span { display: block; height: 100%; background: var(--first); }
.confusion { font-size: .85rem; }
.confusion th, .confusion td { padding: .3rem .4rem; border: 1px solid var(--rule); }
.confusion td { text-align: right; min-width: 2.4rem; }
.confusion th[scope=row] { max-width: 12rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.confusion th.column { height: 7.5rem; vertical-align: bottom; padding: .3rem 0; }
.confusion th.column span { display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg); max-height: 7rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.confusion td.right { background: rgb(var(--first-rgb) / calc(var(--share) * .5)); font-weight: 600; }
.confusion td.wrong { background: rgb(var(--second-rgb) / calc(.08 + var(--share) * .72)); }
.confusion td.zero { color: var(--muted); }
.side-by-side { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.side-by-side > * { flex: 0 1 auto; min-width: 0; margin-top: .75rem; }
.side-by-side > .fill { flex: 1 1 20rem; }
figure { margin: .75rem 0; }
figure.chart { width: 28rem; max-width: 100%; }
figure.chart.narrow { width: 19rem; }
figcaption { font-weight: 600; font-size: .95rem; }
.legend { font-weight: 400; font-size: .85rem; color: var(--muted); margin-left: .75rem; }
.legend > span { margin-right: .9rem; white-space: nowrap; }
.legend svg { margin-right: .35rem; }
svg { width: 100%; height: auto; display: block; }
.legend svg { width: auto; display: inline; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--muted); font-size: 11px; }
.line { fill: none; stroke-width: 2; }
.line.first { stroke: var(--first); } .line.second { stroke: var(--second); stroke-dasharray: 5 3; }
.dot.first { fill: var(--first); } .dot.second { fill: var(--second); }
.hollow { fill: none; stroke: var(--second); stroke-width: 1.5; }
.diagonal { stroke: var(--muted); stroke-dasharray: 3 3; }
.whisker { stroke: var(--first); stroke-width: 1.25; opacity: .7; }
.mistakes { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem; }
.mistakes img, .mistakes .absent { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--panel); border-radius: 4px; display: block; }
.mistakes .absent { display: grid; place-items: center; color: var(--muted); font-size: .85rem; }
.mistakes p { margin: .35rem 0 0; font-size: .875rem; line-height: 1.35; overflow-wrap: anywhere; }
.mistakes code { font-size: .75rem; color: var(--muted); }
details { margin: .75rem 0; } summary { cursor: pointer; }
footer { color: var(--muted); font-size: .875rem; padding-top: 2rem; padding-bottom: 3rem; }
@media print {
  :root { color-scheme: light; --page: #fff; --panel: #f5f6f8; --text: #000; --muted: #444; --rule: #bbb; --first: #0969da; --second: #bc4c00; --first-rgb: 9 105 218; --second-rgb: 217 95 2; --warning: #fff; }
  body { font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .mistakes li, dl.figures > div { break-inside: avoid; }
  main, header, footer { max-width: none; padding: 0; }
}
`);
