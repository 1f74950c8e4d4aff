// A process of its own that starts training from nothing and prints the milliseconds of each part, one JSON line.
// node bench/support/startup-child.mjs '{"network","mode","batch","threads","tune"}'
import { gradient } from '../../dist/autodiff/gradient.js';
import { proveParity } from '../../dist/export/parity.js';
import { deployableModel } from '../../dist/export/deployable.js';
import { lower } from '../../dist/lowering/lower.js';
import { writeModel } from '../../dist/onnx/write.js';
import { blockSize } from '../../dist/runtime/block-size.js';
import { Engine } from '../../dist/runtime/engine.js';
import { Tuning } from '../../dist/runtime/tuning.js';
import { compileStep } from '../../dist/train/compile-step.js';
import { forwardWithLoss, STEP } from '../../dist/train/gradient-graph.js';
import { TrainingStep } from '../../dist/train/training-step.js';
import { batchOf, buildNetwork, NETWORKS, preprocessingOf, RATES, stepOptions, targetOf } from './networks.mjs';

const { network, mode, batch: size, threads, tune } = JSON.parse(process.argv[2]);
const { side } = NETWORKS[network];
const parts = { modules: performance.now() };
const engine = await timed('engine', () => Engine.start({ device: 'cpu', threads }));
const block = await timed('blockSize', () => blockSize(engine));
const built = await timed('build', () => buildNetwork(network));

// Once pass by pass, with code that no one has run yet; then whole, as training does it.
const options = stepOptions(network, { mode, batch: size, target: targetOf(block), built });
const parameters = options.parameters.map(({ name }) => name);
const forward = await timed('specialise', () => forwardWithLoss(options, parameters));
const made = await timed('gradient', () => gradient(forward.graph, STEP.loss, parameters));
await timed('lower', () => lower(made.graph, options.target, { parameters, gradients: made.gradients }));
let compiled = await timed('compileAgain', () => compileStep(options));
if (tune) {
  parts.tuned = await timed('tuning', async () => {
    const tuning = await Tuning.open(engine);
    const again = () => compileStep({ ...options, target: targetOf(block, tuning.choose) });
    let measured = 0;
    compiled = again();
    for (let count = await tuning.tune(engine); count > 0; count = await tuning.tune(engine)) {
      measured += count;
      compiled = again();
    }
    return measured;
  });
}
await timed('write', () => writeModel({ graph: compiled.pass }));
const step = await timed('session', () => TrainingStep.open(engine, compiled));
const batch = batchOf(size, side);
await timed('firstStep', () => step.run({ batch, step: 1, rates: RATES }));
await timed('secondStep', () => step.run({ batch, step: 2, rates: RATES }));
await timed('thirdStep', () => step.run({ batch, step: 3, rates: RATES }));
await step.release();

const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`);
const deployed = { graph: built.graph, preprocessing: preprocessingOf(side), classes };
const file = await timed('export', () => deployableModel(deployed));
const images = [side, side + 37].map((height) => ({
  width: side,
  height,
  data: Uint8Array.from({ length: height * side * 3 }, (_, i) => (i * 7919) % 256),
}));
await timed('parity', () => proveParity(engine, file.bytes, deployed, images));
await engine.dispose();
console.log(JSON.stringify(parts));

async function timed(name, work) {
  const start = performance.now();
  const result = await work();
  parts[name] = performance.now() - start;
  return result;
}
