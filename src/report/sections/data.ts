import { count, counted } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { DataSummary } from '../run-summary.ts';

const MOST_FILES = 50;

/** What was read, what was left out, and why. */
export function data(summary: DataSummary): Html {
  const splits = [...new Set(summary.classes.flatMap(({ counts }) => Object.keys(counts)))];
  const total = (split: string): number => summary.classes.reduce((sum, { counts }) => sum + (counts[split] ?? 0), 0);
  return html`<h2 id="data">Data</h2>
    <dl class="facts">
      ${
        summary.source !== undefined &&
        html`<dt>Source</dt>
          <dd><code>${summary.source}</code></dd>`
      }
      ${
        summary.fingerprint !== undefined &&
        html`<dt>Fingerprint</dt>
          <dd><code>${summary.fingerprint}</code></dd>`
      }
      ${
        summary.unlabeled !== undefined &&
        html`<dt>Without a label</dt>
          <dd>${counted(summary.unlabeled, 'image')}</dd>`
      }
      ${
        summary.groups !== undefined &&
        html`<dt>Groups, never split</dt>
          <dd>${count(summary.groups)}</dd>`
      }
    </dl>
    <div class="scroll">
      <table>
        <caption>
          Images by class
        </caption>
        <thead>
          <tr>
            <th scope="col">class</th>
            ${splits.map((split) => html`<th scope="col" class="number">${split}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${summary.classes.map(
            ({ name, counts }) =>
              html`<tr>
                <th scope="row">${name}</th>
                ${splits.map((split) => html`<td class="number">${count(counts[split] ?? 0)}</td>`)}
              </tr>`,
          )}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">all</th>
            ${splits.map((split) => html`<td class="number">${count(total(split))}</td>`)}
          </tr>
        </tfoot>
      </table>
    </div>
    ${quarantine(summary.quarantined ?? [])} ${duplicates(summary)} ${conflicts(summary.conflicts ?? [])}
    ${leaks(summary)}
    ${(summary.ignored?.length ?? 0) > 0 && html`<p class="muted">Ignored: ${some(summary.ignored!)}.</p>`}`;
}

function quarantine(files: NonNullable<DataSummary['quarantined']>): Html {
  if (files.length === 0) return html`<p class="muted">Every file could be read.</p>`;
  return html`<h3>Left out</h3>
    <details${files.length <= 5 && html` open`}><summary>${counted(files.length, 'file')} could not be used</summary>
    <table><thead><tr><th scope="col">file</th><th scope="col">why</th></tr></thead>
    <tbody>${files.slice(0, MOST_FILES).map(
      ({ file, reason }) =>
        html`<tr>
          <td><code>${file}</code></td>
          <td>${reason}</td>
        </tr>`,
    )}</tbody></table>
    ${files.length > MOST_FILES && html`<p class="muted">And ${count(files.length - MOST_FILES)} more, in config.json and by "gleaner data check".</p>`}</details>`;
}

function duplicates({ duplicates: found }: DataSummary): Html {
  if (found === undefined) return html``;
  if (found.groups === 0) return html`<p class="muted">No image is a copy or near copy of another.</p>`;
  return html`<h3>Copies</h3>
    <p>
      ${counted(found.images, 'image')} in ${counted(found.groups, 'group')} of copies or near copies; a group is never
      split between training and scoring.
    </p>
    ${
      (found.examples?.length ?? 0) > 0 &&
      html`<details>
        <summary>Examples</summary>
        <ul>
          ${found.examples!.slice(0, 20).map((group) => html`<li>${group.map((file, i) => html`${i > 0 && ', '}<code>${file}</code>`)}</li>`)}
        </ul>
      </details>`
    }`;
}

function conflicts(found: NonNullable<DataSummary['conflicts']>): Html {
  if (found.length === 0) return html``;
  return html`<h3>Conflicts</h3>
    <p>The same image under several labels, left out until a person decides:</p>
    <ul>
      ${found
        .slice(0, MOST_FILES)
        .map(
          ({ files, labels }) =>
            html`<li>${files.map((file, i) => html`${i > 0 && ', '}<code>${file}</code> (${labels[i] ?? '?'})`)}</li>`,
        )}
    </ul>
    ${found.length > MOST_FILES && html`<p class="muted">And ${count(found.length - MOST_FILES)} more.</p>`}`;
}

function leaks({ leaks: found, groups }: DataSummary): Html {
  if (found === undefined || found.pairs.length === 0) return html``;
  return html`<h3>${groups === undefined ? 'Copies' : 'Copies and groups'} across splits</h3>
    <p>${counted(found.pairs.length, 'pair')}; the one in training was ${found.dropped ? 'left out' : 'kept'}.</p>
    <details>
      <summary>Which</summary>
      <ul>
        ${found.pairs.slice(0, MOST_FILES).map(([a, b]) => html`<li><code>${a}</code>, <code>${b}</code></li>`)}
      </ul>
    </details>`;
}

function some(names: readonly string[]): string {
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}
