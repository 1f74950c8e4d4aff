import { bytes, number, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { VariantSummary } from '../run-summary.ts';

/** The exported files, each with what it costs and what it is worth, measured. */
export function variants(list: readonly VariantSummary[]): Html {
  if (list.length === 0) return html``;
  return html`<h2 id="models">Model files</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">variant</th>
            <th scope="col">file</th>
            <th scope="col" class="number">size</th>
            <th scope="col" class="number">accuracy</th>
            <th scope="col" class="number">95 % interval</th>
            <th scope="col" class="number">ms an image</th>
            <th scope="col" class="number">largest difference in probability</th>
          </tr>
        </thead>
        <tbody>
          ${list.map(
            (variant) =>
              html`<tr>
                <th scope="row">${variant.name}</th>
                <td><code>${variant.file}</code></td>
                <td class="number">${bytes(variant.bytes)}</td>
                <td class="number">${variant.accuracy === undefined ? '–' : percent(variant.accuracy)}</td>
                <td class="number">${variant.interval === undefined ? '–' : percentRange(variant.interval)}</td>
                <td class="number">
                  ${variant.millisecondsPerImage === undefined ? '–' : number(variant.millisecondsPerImage)}
                </td>
                <td class="number">
                  ${variant.largestDifference === undefined ? '–' : number(variant.largestDifference)}
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${remarks(list).map((text) => html`<p>${text}</p>`)}`;
}

/** What the figures say of a variant that is meant to be smaller or faster. */
export function remarks([first, ...others]: readonly VariantSummary[]): string[] {
  const texts: string[] = [];
  for (const { name, millisecondsPerImage: ms, bytes: size, note } of others) {
    const base = first!.millisecondsPerImage;
    if (ms !== undefined && base !== undefined && ms > base * 1.05)
      texts.push(`${name} is slower here than ${first!.name}: ${number(ms / base)} times the time of an image.`);
    if (size > first!.bytes) texts.push(`${name} is larger than ${first!.name}.`);
    if (note !== undefined) texts.push(`${name}: ${note}`);
  }
  if (first?.note !== undefined) texts.unshift(`${first.name}: ${first.note}`);
  return texts;
}
