import type { Evaluation } from '../evaluate/evaluation.ts';
import { cautions } from './cautions.ts';
import { bytes, counted, magnitude, number, percent, percentRange } from './format.ts';
import { escapeMarkdown as text, markdownTable } from './markdown.ts';
import type { RunSummary } from './run-summary.ts';
import { remarks } from './sections/variants.ts';

/**
 * What someone who is handed the model has to know (Mitchell et al., 2019, "Model cards for model
 * reporting"), as Markdown with the front matter that Hugging Face reads. The same summary gives the same
 * bytes; no time and no path of this machine is in it.
 */
export function renderModelCard(run: RunSummary): string {
  const { evaluation } = run;
  const parts = [
    '---\nlibrary_name: onnx\npipeline_tag: image-classification\ntags:\n- onnx\n- image-classification\n- gleaner\n---',
    `# ${text(run.name)}`,
    introduction(run),
    evaluation && scores(run, evaluation),
    limits(run),
    use(run),
    trainingData(run),
    files(run),
    origin(run),
  ];
  return `${parts.filter((part) => part !== undefined && part !== '').join('\n\n')}\n`;
}

function introduction({ evaluation, network }: RunSummary): string {
  const what = network === undefined ? 'An image classifier' : `An image classifier (${text(network.name)})`;
  const classes = evaluation?.classes;
  if (classes === undefined) return `${what}.`;
  const listed =
    classes.length <= 50 ? `: ${classes.map(text).join(', ')}` : '; their names are an output of the model';
  return `${what} with ${counted(classes.length, 'class', 'classes')}${listed}.`;
}

function scores(run: RunSummary, evaluation: Evaluation): string {
  const on = run.scoredOn === undefined ? '' : ` (${text(run.scoredOn)})`;
  const figures: (readonly [string, string])[] = [
    ['Accuracy', `${percent(evaluation.accuracy)} (95 % interval ${percentRange(evaluation.interval)})`],
    ['Balanced accuracy', percent(evaluation.balancedAccuracy)],
    ['Macro F1', evaluation.macroF1.toFixed(3)],
    ...(evaluation.topFive === undefined ? [] : [['Among the first five', percent(evaluation.topFive)] as const]),
    ['Log loss', number(evaluation.nll)],
    [
      'Calibration error',
      `${percent(evaluation.calibrationError)} (${percent(evaluation.uncalibrated.calibrationError)} before temperature scaling)`,
    ],
  ];
  return [
    '## Scores',
    `On ${counted(evaluation.n, 'image')}${on}.`,
    markdownTable(['measure', 'value'], figures),
    markdownTable(
      ['class', 'images', 'precision', 'recall', 'F1'],
      Object.entries(evaluation.perClass).map(([name, { support, precision, recall, f1 }]) => [
        name,
        String(support),
        precision === undefined ? '–' : percent(precision),
        recall === undefined ? '–' : percent(recall),
        f1 === undefined ? '–' : f1.toFixed(3),
      ]),
    ),
  ].join('\n\n');
}

/** Where not to trust it, from its own figures. */
function limits(run: RunSummary): string {
  const texts = [...(run.warnings ?? []), ...cautions(run)].map(text);
  const { evaluation } = run;
  if (evaluation !== undefined) {
    const weakest = Object.entries(evaluation.perClass)
      .flatMap(([name, { recall, support }]) => (recall === undefined ? [] : [{ name, recall, support }]))
      .toSorted((a, b) => a.recall - b.recall)[0];
    if (weakest !== undefined && weakest.recall < 1)
      texts.push(
        `The weakest class is ${text(weakest.name)}: ${percent(weakest.recall)} of its ${counted(weakest.support, 'image')} are found.`,
      );
  }
  if (evaluation === undefined && run.teacher !== undefined)
    texts.push('Its accuracy is unknown: no image with a label was there to score on.');
  texts.push(
    'It knows these classes only: an image of anything else gets one of their names.',
    'Images of another kind than those it was trained on (camera, light, place, time) may score worse.',
  );
  return `## Limits\n\n${texts.map((line) => `- ${line}`).join('\n')}`;
}

function use({ abstain }: RunSummary): string {
  const threshold =
    abstain?.result === undefined
      ? ''
      : ` Below a probability of ${percent(abstain.result.threshold)} an answer should be withheld: above it, ${percent(abstain.result.precision)} were right on the images that this was found on.`;
  return (
    '## Use\n\n`model.onnx` takes the decoded image as it is (`image`: uint8, [N, H, W, 3], RGB, upright, any size) ' +
    'and holds all preprocessing; its outputs are `probabilities` [N, K], `logits` [N, K] and `classes` [K].' +
    threshold +
    '\n\n```sh\nnpx gleaner predict model.onnx IMAGE...\n```'
  );
}

function trainingData({ data }: RunSummary): string | undefined {
  if (data === undefined) return undefined;
  const splits = [...new Set(data.classes.flatMap(({ counts }) => Object.keys(counts)))];
  return [
    '## Data',
    markdownTable(
      ['class', ...splits.map(text)],
      data.classes.map(({ name, counts }) => [name, ...splits.map((split) => String(counts[split] ?? 0))]),
    ),
    [
      data.unlabeled !== undefined && `${counted(data.unlabeled, 'image')} without a label.`,
      (data.quarantined?.length ?? 0) > 0 &&
        `${counted(data.quarantined!.length, 'file')} could not be read and were left out.`,
      (data.conflicts?.length ?? 0) > 0 &&
        `${counted(data.conflicts!.length, 'image')} with several labels were left out.`,
      data.fingerprint !== undefined && `Fingerprint: \`${data.fingerprint.replaceAll(/[^0-9a-zA-Z:]/g, '')}\`.`,
    ]
      .filter((part) => part !== false)
      .join(' '),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function files({ variants = [] }: RunSummary): string | undefined {
  if (variants.length === 0) return undefined;
  const table = markdownTable(
    ['variant', 'file', 'size', 'accuracy', 'ms an image'],
    variants.map(({ name, file, bytes: size, accuracy, millisecondsPerImage: ms }) => [
      name,
      file,
      bytes(size),
      accuracy === undefined ? '–' : percent(accuracy),
      ms === undefined ? '–' : number(ms),
    ]),
  );
  return ['## Files', table, ...remarks(variants).map(text)].join('\n\n');
}

function origin({ network, environment, method }: RunSummary): string | undefined {
  const facts = [
    method && `Method: ${text(method)}`,
    network?.sha256 && `SHA-256 of the network it started from: ${text(network.sha256)}`,
    network?.parameters === undefined ? undefined : `Parameters: ${magnitude(network.parameters)}`,
    network?.preprocessing && `Preprocessing: ${text(network.preprocessing)}`,
    environment?.gleaner &&
      `Made by Gleaner ${text(environment.gleaner)}${environment.engine ? ` on ONNX Runtime ${text(environment.engine)}` : ''}`,
  ].filter((fact) => fact !== undefined && fact !== '');
  return facts.length === 0 ? undefined : `## Origin\n\n${facts.map((fact) => `- ${fact}`).join('\n')}`;
}
