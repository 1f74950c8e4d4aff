import { counted, number, percent, percentRange } from './format.ts';
import { histogram } from './histogram.ts';
import { html, type Html } from './html.ts';
import { renderPage } from './page.ts';

/** What the page of an audit shows. */
export interface AuditSummary {
  readonly root: string;
  readonly images: number;
  readonly classes: readonly string[];
  readonly world: { readonly source: string; readonly images: number } | undefined;
  readonly findings: readonly AuditFinding[];
  readonly histograms: readonly {
    readonly property: string;
    readonly name: string;
    readonly unit: string;
    readonly from: number;
    readonly to: number;
    readonly data: readonly number[];
    readonly world: readonly number[];
  }[];
  readonly comparisons: readonly { readonly property: string; readonly differs: boolean }[];
  readonly proposal:
    | {
        readonly policy: string;
        readonly operations: readonly {
          readonly text: string;
          readonly fitted: { readonly low: number; readonly high: number; readonly probability: number };
          readonly gain: Estimate;
        }[];
        readonly coverage: readonly {
          readonly property: string;
          readonly before: { readonly value: number };
          readonly after: { readonly value: number };
        }[];
      }
    | undefined;
  /** Examples by id, those of the world by `world/` and their id, as `data:` URIs. */
  readonly pictures?: Readonly<Record<string, string>>;
}

interface Estimate {
  readonly value: number;
  readonly interval?: readonly [low: number, high: number];
}

interface AuditFinding {
  readonly severity: string;
  readonly what: string;
  readonly advice: string;
  readonly property?: string;
  readonly evidence: Readonly<Record<string, Estimate>>;
  readonly p?: number;
  readonly classes: readonly string[];
  readonly examples: readonly string[];
  readonly worldExamples?: readonly string[];
}

/**
 * An audit as one HTML file that needs no network.
 * @example
 * await writeFileAtomic('audit.html', renderAuditPage(await auditData('photos', { pictures: true })));
 */
export function renderAuditPage(audit: AuditSummary): string {
  return renderPage({
    title: `Audit of ${audit.root}`,
    header: html`<h1>Audit of ${audit.root}</h1>
      <p class="muted">
        ${counted(audit.images, 'image')} in
        ${counted(audit.classes.length, 'class', 'classes')}${audit.world && html`, against ${counted(audit.world.images, 'image')} of ${audit.world.source}`}.
      </p>`,
    sections: [
      ['findings', 'Findings', findings(audit)],
      ['policy', 'Proposed policy', proposal(audit)],
      ['properties', 'Properties', properties(audit)],
    ],
    footer: 'Made by Gleaner. docs/audit.md says how each finding is tested. This file needs no network.',
  });
}

function findings(audit: AuditSummary): Html {
  if (audit.findings.length === 0)
    return html`<h2 id="findings">Findings</h2>
      <p>None.</p>`;
  return html`<h2 id="findings">Findings</h2>
    ${audit.findings.map((finding) => one(finding, audit))}`;
}

function one(finding: AuditFinding, audit: AuditSummary): Html {
  const chart = audit.histograms.find(({ property }) => property === finding.property);
  return html`<h3>${finding.severity}: ${finding.what}</h3>
    <p>${finding.advice}</p>
    ${finding.classes.length > 0 && html`<p class="muted">Classes: ${finding.classes.join(', ')}</p>`}
    <div class="side-by-side">
      <dl class="facts">
        ${Object.entries(finding.evidence).map(
          ([name, estimate]) =>
            html`<dt>${name}</dt>
              <dd>${estimated(name, estimate)}</dd>`,
        )}
        ${
          finding.p !== undefined &&
          html`<dt>p, corrected</dt>
            <dd>${number(finding.p)}</dd>`
        }
      </dl>
      ${chart && histogramOf(chart)}
    </div>
    ${examples('Examples', finding.examples, '', audit)}
    ${examples('In the world', finding.worldExamples ?? [], 'world/', audit)}`;
}

/** Shares and accuracies in percent, all else as it is. */
function estimated(name: string, { value, interval }: Estimate): string {
  if (/^(share|accuracy|chance|neighbours)/.test(name))
    return percent(value) + (interval ? ` (${percentRange(interval)})` : '');
  return number(value) + (interval ? ` (${number(interval[0])} to ${number(interval[1])})` : '');
}

function examples(title: string, ids: readonly string[], prefix: string, { pictures = {} }: AuditSummary): Html {
  if (ids.length === 0) return html``;
  return html`<p class="muted">${title}</p>
    <ul class="mistakes">
      ${ids.map((id) => {
        const picture = pictures[prefix + id];
        return html`<li>
          ${picture ? html`<img src="${picture}" alt="" />` : html`<span class="absent">no picture</span>`}
          <p><code>${id}</code></p>
        </li>`;
      })}
    </ul>`;
}

function proposal({ proposal: proposed, histograms }: AuditSummary): Html {
  if (proposed === undefined) return html``;
  if (proposed.operations.length === 0)
    return html`<h2 id="policy">Proposed policy</h2>
      <p>None: no operation brings the data clearly nearer to the world.</p>`;
  const nameOf = (property: string): string =>
    histograms.find((entry) => entry.property === property)?.name ?? property;
  return html`<h2 id="policy">Proposed policy</h2>
    <pre><code>${proposed.policy}</code></pre>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">operation</th>
            <th scope="col">fits best</th>
            <th scope="col" class="number">share of the distance taken away</th>
          </tr>
        </thead>
        <tbody>
          ${proposed.operations.map(
            ({ text, fitted, gain }) =>
              html`<tr>
                <td><code>${text}</code></td>
                <td>
                  ${number(fitted.low)} to
                  ${number(fitted.high)}${fitted.probability < 1 && html`, on ${percent(fitted.probability)} of images`}
                </td>
                <td class="number">
                  ${percent(gain.value)}${gain.interval && html` (${percentRange(gain.interval)})`}
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <div class="scroll">
      <table>
        <caption>
          Share of the world beyond the middle 95 % of the data (5 % where both are alike)
        </caption>
        <thead>
          <tr>
            <th scope="col">property</th>
            <th scope="col" class="number">as it is</th>
            <th scope="col" class="number">with the policy</th>
          </tr>
        </thead>
        <tbody>
          ${proposed.coverage.map(
            ({ property, before, after }) =>
              html`<tr>
                <th scope="row">${nameOf(property)}</th>
                <td class="number">${percent(before.value)}</td>
                <td class="number">${percent(after.value)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function properties({ histograms, comparisons }: AuditSummary): Html {
  const differs = new Set(comparisons.filter((entry) => entry.differs).map(({ property }) => property));
  const [first, rest] = [true, false].map((wanted) =>
    histograms.filter(({ property }) => differs.has(property) === wanted),
  );
  return html`<h2 id="properties">Properties</h2>
    <p class="muted">The data as a full line, the world as a broken one.</p>
    ${
      first!.length > 0 &&
      html`<h3>That differ</h3>
        <div class="side-by-side">${first!.map(histogramOf)}</div>
        <h3>That do not</h3>`
    }
    <div class="side-by-side">${rest!.map(histogramOf)}</div>`;
}

function histogramOf({ name, unit, from, to, data, world }: AuditSummary['histograms'][number]): Html {
  return histogram({
    title: name,
    unit,
    from,
    to,
    series: [
      { name: 'data', look: 'first', shares: data },
      ...(world.length > 0 ? [{ name: 'world', look: 'second' as const, shares: world }] : []),
    ],
  });
}
