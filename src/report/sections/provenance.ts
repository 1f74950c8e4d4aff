import { magnitude } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { EnvironmentSummary, NetworkSummary, RunSummary } from '../run-summary.ts';

/** What the run was made of, so that it can be made again. */
export function provenance({ network, environment, commands, config }: RunSummary): Html {
  const facts = [...networkFacts(network), ...environmentFacts(environment)];
  if (facts.length === 0 && config === undefined && commands === undefined) return html``;
  return html`<h2 id="made">How it was made</h2>
    ${
      facts.length > 0 &&
      html`<dl class="facts">
        ${facts.map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>`
    }
    ${commands?.map(
      ({ purpose, command }) =>
        html`<p>${purpose}</p>
          <pre><code>${command}</code></pre>`,
    )}
    ${
      config !== undefined &&
      html`<details>
        <summary>All options, as they were resolved</summary>
        <dl class="facts">
          ${Object.entries(config).map(
            ([name, value]) =>
              html`<dt><code>${name}</code></dt>
                <dd><code>${typeof value === 'string' ? value : (JSON.stringify(value) ?? '')}</code></dd>`,
          )}
        </dl>
      </details>`
    }`;
}

function networkFacts(network: NetworkSummary | undefined): [string, string | Html][] {
  if (network === undefined) return [];
  const { name, source, sha256, parameters, trainedParameters, multiplyAdds, preprocessing } = network;
  const trained = trainedParameters === undefined ? '' : `, of which ${magnitude(trainedParameters)} were trained`;
  return present([
    ['Network', name],
    ['Source', source && html`<code>${source}</code>`],
    ['SHA-256', sha256 && html`<code>${sha256}</code>`],
    ['Parameters', parameters === undefined ? undefined : `${magnitude(parameters)}${trained}`],
    ['Multiply-adds', multiplyAdds === undefined ? undefined : `${magnitude(multiplyAdds)} an image`],
    ['Preprocessing', preprocessing],
  ]);
}

function environmentFacts(environment: EnvironmentSummary | undefined): [string, string | Html][] {
  if (environment === undefined) return [];
  const { gleaner, engine, device, threads, node, platform, processor } = environment;
  return present([
    ['Gleaner', gleaner],
    ['Engine', engine && `ONNX Runtime ${engine}${device === undefined ? '' : ` on ${device}`}`],
    ['Threads', threads === undefined ? undefined : String(threads)],
    ['Node', node],
    ['Platform', platform],
    ['Processor', processor],
  ]);
}

function present(facts: readonly (readonly [string, string | Html | undefined])[]): [string, string | Html][] {
  return facts.flatMap(([name, value]): [string, string | Html][] =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
}
