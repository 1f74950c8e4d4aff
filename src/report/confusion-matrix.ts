import { count, percent } from './format.ts';
import { html, type Html } from './html.ts';

/** A larger table can't be read on a page; the list of confusions remains. */
const LARGEST_TABLE = 30;
const MOST_CONFUSIONS = 12;

/** @param confusion rows are the true classes, columns the predicted ones; counts. */
export function confusionMatrix(confusion: readonly (readonly number[])[], classes: readonly string[]): Html {
  if (classes.length > LARGEST_TABLE)
    return html`<p class="muted">
      With ${classes.length} classes the matrix does not fit a page; these are the largest entries off its diagonal.
    </p>`;
  return html`<div class="scroll">
    <table class="confusion">
      <caption>
        Rows are the true classes, columns what the model said. Shades are shares of a row.
      </caption>
      <thead>
        <tr>
          <th scope="col"><span class="muted">true ↓ said →</span></th>
          ${classes.map((name) => html`<th scope="col" class="column"><span title="${name}">${name}</span></th>`)}
        </tr>
      </thead>
      <tbody>
        ${confusion.map((row, i) => {
          const total = row.reduce((sum, cell) => sum + cell, 0);
          return html`<tr>
            <th scope="row" title="${classes[i]!}">${classes[i]!}</th>
            ${row.map((cell, j) => {
              const share = total === 0 ? 0 : cell / total;
              const look = cell === 0 ? 'zero' : i === j ? 'right' : 'wrong';
              // The share runs through the alpha of the cell's colour; the figure stays readable on both themes.
              return html`<td class="${look}" style="--share:${share.toFixed(3)}">
                ${cell === 0 ? '·' : count(cell)}
              </td>`;
            })}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** The pairs that are mixed up most, as a share of the true class. */
export function confusionList(confusion: readonly (readonly number[])[], classes: readonly string[]): Html {
  const pairs = confusion
    .flatMap((row, i) => {
      const total = row.reduce((sum, cell) => sum + cell, 0);
      return row.map((cell, j) => ({
        truth: classes[i]!,
        said: classes[j]!,
        cell,
        share: cell / total,
        isRight: i === j,
      }));
    })
    .filter(({ cell, isRight }) => cell > 0 && !isRight)
    .toSorted((a, b) => b.cell - a.cell || b.share - a.share)
    .slice(0, MOST_CONFUSIONS);
  if (pairs.length === 0) return html`<p>No image was taken for another class.</p>`;
  return html`<table class="confusions">
    <caption>
      What is mixed up most
    </caption>
    <thead>
      <tr>
        <th scope="col">true</th>
        <th scope="col">said</th>
        <th scope="col" class="number">images</th>
        <th scope="col" class="number">of that class</th>
      </tr>
    </thead>
    <tbody>
      ${pairs.map(
        ({ truth, said, cell, share }) =>
          html`<tr>
            <td>${truth}</td>
            <td>${said}</td>
            <td class="number">${count(cell)}</td>
            <td class="number">${percent(share)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
