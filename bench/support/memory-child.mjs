// A process of its own that takes some training steps and prints what memory they took, one JSON line.
// node bench/support/memory-child.mjs '{"network","mode","batch","steps","threads","recompute"?,"at"?:[100,1000]}'
import { readFileSync } from 'node:fs';
import { blockSize } from '../../dist/runtime/block-size.js';
import { Engine } from '../../dist/runtime/engine.js';
import { compileStep } from '../../dist/train/compile-step.js';
import { stepBytes } from '../../dist/train/memory-plan.js';
import { TrainingStep } from '../../dist/train/training-step.js';
import { batchOf, buildNetwork, NETWORKS, RATES, stepOptions, targetOf } from './networks.mjs';
import { median } from './report.mjs';

const { network, mode, batch: size, steps, threads, recompute, at = [] } = JSON.parse(process.argv[2]);
const before = status('VmRSS');
const engine = await Engine.start({ device: 'cpu', threads });
const built = buildNetwork(network);
const options = { mode, batch: size, target: targetOf(await blockSize(engine)), built };
const compiled = compileStep(stepOptions(network, { ...options, ...(recompute && { recompute }) }));
const step = await TrainingStep.open(engine, compiled);
const batch = batchOf(size, NETWORKS[network].side);
const opened = status('VmHWM');
const times = [];
const after = {};
for (let i = 1; i <= steps; i++) {
  const start = performance.now();
  await step.run({ batch, step: i, rates: RATES });
  times.push(performance.now() - start);
  if (at.includes(i)) {
    globalThis.gc?.();
    after[i] = status('VmRSS');
  }
}
const peak = status('VmHWM');
console.log(JSON.stringify({ before, opened, peak, estimate: stepBytes(compiled), ms: median(times.slice(2)), after }));
await engine.dispose();

/** Bytes, of this process. */
function status(name) {
  const text = readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)[1]);
}
