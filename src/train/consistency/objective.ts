import type { Tensor } from '../../core/tensor.ts';
import { crossEntropy } from '../../losses/cross-entropy.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { lossDivisor } from '../loss-divisor.ts';
import type { Objective, ObjectiveGraph, ObjectiveValues } from '../objective.ts';
import { aligned } from './alignment.ts';
import { fairness } from './fairness.ts';
import { Fragment } from './fragment.ts';
import { labels, targets } from './label.ts';
import { meanOfViews, mixedTargets } from './mixing.ts';
import { IMAGE_NUMBERS, MIXED, rowsOf, trainedRows, type ConsistencyOptions } from './options.ts';
import { annealed, rampFactor } from './schedule.ts';
import { weighed } from './threshold.ts';
import { differences } from './unlabeled-loss.ts';

/**
 * One step of consistency training: cross-entropy on labelled images, and on unlabelled ones the loss of strong views
 * against the label of the weak view, which is a constant. All views are one batch: what is normalised by its
 * statistics sees them together.
 * @throws RangeError for options out of their range
 */
export function consistencyObjective(options: ConsistencyOptions): Objective {
  check(options);
  const { ratio, threshold, mixing, weakViews } = options;
  return {
    rows: rowsOf(options),
    outputs: [],
    targets: new Map([
      ...(threshold.kind === 'curriculum' ? [[IMAGE_NUMBERS, [ratio]] as const] : []),
      ...(mixing === undefined ? [] : Object.values(MIXED).map((name) => [name, [trainedRows(options)]] as const)),
    ]),
    state: statesOf(options),
    ...(options.labeller === 'average' && { averaged: { from: 1, rows: ratio * weakViews } }),
    divisor: (values, classes) => lossDivisor({ name: 'cross-entropy' }, values, classes, undefined),
    add: (b, values) => addConsistency(b, options, values).graph,
  };
}

/** Found by adding the loss of one sample to a graph of its own. */
function statesOf(options: ConsistencyOptions): Map<string, Tensor> {
  const b = new GraphBuilder('states');
  const { classes, ratio, weakViews, labeller } = options;
  const input = (name: string, shape: number[]): string => b.input(name, 'float32', shape);
  const isAverage = labeller === 'average';
  const weak = ratio * weakViews;
  const { first } = addConsistency(b, options, {
    logits: input('logits', [rowsOf(options) - (isAverage ? weak : 0), classes]),
    labels: input('labels', [1, classes]),
    scale: input('scale', []),
    ...(isAverage && { averaged: input('averaged', [weak, classes]) }),
    outputs: new Map(),
    targets: new Map([
      [IMAGE_NUMBERS, input(IMAGE_NUMBERS, [1, ratio])],
      ...Object.values(MIXED).map((name) => [name, input(name, [1, trainedRows(options)])] as const),
    ]),
    state: new Map(),
  });
  return first;
}

function addConsistency(
  b: GraphBuilder,
  options: ConsistencyOptions,
  values: ObjectiveValues,
): { readonly graph: ObjectiveGraph; readonly first: Map<string, Tensor> } {
  const { classes, ratio, weakViews, strongViews, samples } = options;
  // The average's rows are not among the network's.
  const weakRows = values.averaged === undefined ? ratio * weakViews : 0;
  const rows = 1 + weakRows + ratio * strongViews;
  const count = b.shape(values.logits)[0]! / rows;
  const f = new Fragment({ builder: b, samples: count, halfLife: options.halfLife, state: values.state });
  const perSample = b.op('Reshape', [values.logits, b.int([count, rows, classes])]);
  const between = (from: number, to: number): string =>
    b.op('Reshape', [b.op('Slice', [perSample, b.int([from]), b.int([to]), b.int([1])]), b.int([-1, classes])]);
  const labelled = between(0, 1);
  const weak = values.averaged ?? between(1, 1 + ratio * weakViews);

  const probabilities = meanOfViews(f, labels(f, weak, options), { count, weakViews, classes });
  const ofLabelled = b.op('Softmax', [labelled], { axis: 1 });
  const fitted =
    options.alignment === undefined ? probabilities : aligned(f, probabilities, ofLabelled, options.alignment);
  const target = targets(f, options.alignment?.of === 'labels' ? fitted : probabilities, options);
  const learnt = options.mixing === undefined ? undefined : mixedTargets(f, options, target, values);
  const { weights, threshold } = weighed(f, options.threshold, {
    probabilities: fitted,
    labelled: ofLabelled,
    numbers: values.targets.has(IMAGE_NUMBERS)
      ? b.op('Reshape', [values.targets.get(IMAGE_NUMBERS)!, b.int([-1])])
      : undefined,
    images: options.images,
  });

  let unlabelled: string | undefined;
  for (let view = 0; view < strongViews; view++) {
    const from = 1 + weakRows + ratio * view;
    const logits = between(from, from + ratio);
    const ofImages = learnt?.unlabelled[view] ?? target;
    let ofView = f.reduce('Mean', f.op('Mul', [differences(f, options.loss, ofImages, logits), weights]));
    if (options.fairness > 0) {
      const fair = fairness(f, fitted, weights, logits);
      ofView = f.op('Add', [ofView, f.op('Mul', [fair, options.fairness / options.weight])]);
    }
    unlabelled = unlabelled === undefined ? ofView : f.op('Add', [unlabelled, ofView]);
  }
  const meanUnlabelled = f.op('Mul', [unlabelled!, 1 / strongViews]);
  const labelledLosses = lossesOfLabelled(f, options, labelled, ofLabelled, learnt?.labelled ?? values.labels);
  const meanLabelled = f.reduce('Mean', labelledLosses);
  const factor =
    options.ramp === undefined
      ? b.float(options.weight)
      : f.reduce('Sum', f.op('Mul', [rampFactor(f, options.ramp, samples), options.weight]));
  const mean = f.op('Add', [meanLabelled, f.op('Mul', [meanUnlabelled, factor])]);

  const used = f.reduce('Mean', weights);
  const usedClasses = f.average(
    'used_classes',
    f.reduce('Mean', f.op('Mul', [f.oneHot(fitted), b.op('Unsqueeze', [weights, b.int([1])])]), [0]),
  );
  const metrics = new Map([
    ['labelledLoss', meanLabelled],
    ['unlabelledLoss', meanUnlabelled],
    ['used', used],
    ['confidence', f.reduce('Mean', f.reduce('Max', fitted, [1]))],
    ['threshold', threshold],
    ['classesUsed', effectiveNumber(f, usedClasses)],
  ]);
  // The sum over the samples of this pass, as `scale` is 1 over those of the whole step.
  const loss = b.op('Mul', [f.op('Mul', [mean, count]), values.scale], {}, { name: 'loss' });
  const averageRate = values.averaged === undefined ? {} : { averageRate: f.rate };
  return {
    graph: { loss, constants: [weak, ofLabelled], state: f.next, metrics, ...averageRate },
    first: f.first,
  };
}

/** [N] */
function lossesOfLabelled(
  f: Fragment,
  { annealing, smoothing, classes, samples }: ConsistencyOptions,
  logits: string,
  probabilities: string,
  labelsOf: string,
): string {
  const losses = crossEntropy(f.builder, logits, labelsOf, { reduction: 'none', smoothing });
  if (annealing === 'none') return losses;
  const { builder: b } = f;
  const isOf =
    b.type(labelsOf).dtype === 'int64'
      ? b.op('OneHot', [labelsOf, b.int(classes), b.float([0, 1])], { axis: 1 })
      : labelsOf;
  const ofClass = f.reduce('Sum', f.op('Mul', [probabilities, isOf]), [1]);
  return f.op('Mul', [losses, annealed(f, ofClass, annealing, { classes, samples })]);
}

/** exp of the entropy of shares [K]: how many classes there are, where all have the same share. */
function effectiveNumber(f: Fragment, shares: string): string {
  const share = f.normalised(shares);
  return f.op('Exp', [f.op('Neg', [f.reduce('Sum', f.op('Mul', [share, f.log(share)]))])]);
}

function check(options: ConsistencyOptions): void {
  const whole = { classes: 2, ratio: 1, weakViews: 1, strongViews: 1, images: 1, samples: 1 } as const;
  for (const [name, least] of Object.entries(whole)) {
    const value = options[name as keyof typeof whole];
    if (!Number.isSafeInteger(value) || value < least)
      throw new RangeError(`Consistency training: "${name}" must be an integer of at least ${least}, got ${value}.`);
  }
  for (const name of ['halfLife', 'weight'] as const)
    if (!(options[name] > 0 && Number.isFinite(options[name])))
      throw new RangeError(`Consistency training: "${name}" must be finite and over 0, got ${options[name]}.`);
  const { threshold, mixing, strongViews, weakViews } = options;
  if (mixing !== undefined && !(mixing > 0 && strongViews === weakViews))
    throw new RangeError(
      `Mixing takes a parameter over 0 and trains on the ${weakViews} weak views, got ${mixing} and ${strongViews} views.`,
    );
  if ('value' in threshold && !(threshold.value >= 0 && threshold.value <= 1))
    throw new RangeError(`A threshold of confidence must be from 0 to 1, got ${threshold.value}.`);
}
