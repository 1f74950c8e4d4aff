// Op by op with the roofline: every lowering of every training op that matters, beside PyTorch's time for the same.
// node bench/ops.mjs [--ops conv,'batch norm'] [--passes dW] [--where 'ResNet-18 w64'] [--threads 2] [--rounds 5]
//   [--tables blocked,plain] [--json]
// First the machine's peaks are measured through the engine: GFLOP/s of large products, GB/s of copies that no cache
// holds. An op's roof is the less of the peak and its intensity (operations a byte) times the bandwidth; the share of it
// says how near a lowering comes. Bytes are inputs and outputs, once. Small tensors stay in the cache: their share can
// pass 100 %. `>` is the one taken without tuning, `*` the fastest.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GraphBuilder } from '../dist/onnx/builder.js';
import { NCHWC_DOMAIN } from '../dist/onnx/graph.js';
import { writeModel } from '../dist/onnx/write.js';
import { blockSize } from '../dist/runtime/block-size.js';
import { Engine } from '../dist/runtime/engine.js';
import { withSmallOutputs } from '../dist/runtime/measurement.js';
import { anyTensor, idealBytes, variants } from './support/op-graphs.mjs';
import { opRows } from './support/op-rows.mjs';
import { NO_PEER, startPeer } from './support/peer.mjs';
import { chosen, figure, interleaved, median, ratio, Report, round } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    ops: { type: 'string' },
    passes: { type: 'string' },
    where: { type: 'string' },
    tables: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const [threads, rounds] = [values.threads, values.rounds].map(Number);
/** One that takes this many times the best of the first round is not run again. */
const HOPELESS = 3;
/** Peaks this many times larger at the end than at the beginning say that other work went on. */
const DISTURBED = 1.25;
const FORMATS = ['contiguous', 'channels_last'];
const report = new Report('ops', {
  json: values.json,
  columns: [
    { title: '', width: 2, left: true, text: (row) => `${row.default ? '>' : ' '}${row.fastest ? '*' : ' '}` },
    { title: 'op', width: 15, left: true, text: (row) => row.op },
    { title: 'pass', width: 8, left: true, text: (row) => row.pass },
    { title: 'where', width: 34, left: true, text: (row) => row.where },
    { title: 'shape', width: 34, left: true, text: (row) => row.shape },
    { title: 'lowering', width: 58, left: true, text: (row) => `${row.table}: ${row.lowering}`.slice(0, 58) },
    { title: 'ms', width: 8, text: (row) => figure(row.ms, 3) },
    { title: 'GFLOP/s', width: 8, text: (row) => figure(row.gflops || null) },
    { title: 'GB/s', width: 6, text: (row) => figure(row.gbs) },
    { title: 'of roof', width: 7, text: (row) => figure(row.roofShare && 100 * row.roofShare, 0, ' %') },
    { title: 'PyTorch', width: 8, text: (row) => figure(row.peerMs, 3) },
    { title: 'ratio', width: 6, text: (row) => figure(row.ratio, 2) },
    { title: 'its form', width: 13, left: true, text: (row) => (row.peerMs === null ? '' : row.peerForm) },
  ],
});

const rowsOf = (block) =>
  opRows(block).filter(
    (row) =>
      chosen(values.ops, row.op) &&
      chosen(values.passes, row.pass) &&
      (values.where === undefined || row.where.toLowerCase().includes(values.where.toLowerCase())),
  );
if (rowsOf(1).length === 0) {
  const all = opRows(1);
  console.error(
    `No such row. Ops: ${[...new Set(all.map((row) => row.op))].join(', ')}; passes: ${[...new Set(all.map((row) => row.pass))].join(', ')}.`,
  );
  process.exit(2);
}

const engine = await Engine.start({ device: 'cpu', threads });
const block = await blockSize(engine);
const peer = startPeer('ops', { threads });
if (!peer) report.say(NO_PEER);
const peaks = await measurePeaks();
report.say(
  `${threads} threads, blocks of ${block}: ${figure(peaks.gflops)} GFLOP/s (${peaks.product}), ${figure(peaks.gbs)} GB/s (${peaks.copy})`,
);
if (values.json)
  report.row({ peaks: true, threads, block, ...peaks, gflops: round(peaks.gflops), gbs: round(peaks.gbs) });
for (const row of rowsOf(block)) await measureRow(row.make());
const after = await measurePeaks();
for (const [name, unit] of [
  ['gflops', 'GFLOP/s'],
  ['gbs', 'GB/s'],
])
  if (after[name] > DISTURBED * peaks[name])
    report.say(
      `The machine was disturbed at first: now it does ${figure(after[name])} ${unit}, not ${figure(peaks[name])}; the shares of the roof are too large.`,
    );
peer?.stop();
await engine.dispose();

async function measureRow(row) {
  const bytes = idealBytes(row);
  const least = Math.max(row.flops / peaks.gflops, bytes / peaks.gbs) / 1e6;
  const arms = {};
  const forms = {};
  const opened = [];
  const ways = variants(row, block).filter(({ table }) => chosen(values.tables, table));
  let best = Infinity;
  for (const [i, { table, name, graph }] of ways.entries()) {
    const contestant = await open(graph, `ops/${i}/`);
    if (contestant === undefined) {
      report.say(`${row.op} ${row.pass}, ${row.where}: the engine has no kernels for ${table}: ${name}`);
      continue;
    }
    opened.push(contestant);
    arms[i] = async (turn) => {
      if (peer && opened[0] === contestant) await sleep(30);
      if (turn > 0 && contestant.least > HOPELESS * best) return contestant.least;
      const ms = await contestant.time();
      contestant.least = Math.min(contestant.least, ms);
      best = Math.min(best, ms);
      return ms;
    };
  }
  if (peer)
    for (const format of FORMATS)
      arms[format] = async () => {
        // Threads that have just worked still look for more.
        if (format === FORMATS[0]) await sleep(30);
        const answer = await peer.ask({ ...row.peer, format });
        if (answer.error !== undefined && answer.skip !== true)
          report.say(`PyTorch, ${row.op} ${row.pass}, ${row.where}, ${format}: ${answer.error}`);
        forms[format] = answer.form;
        return answer.ms;
      };
  const ms = await interleaved(arms, rounds);
  for (const contestant of opened) await contestant.close();

  const [format] = FORMATS.filter((name) => (ms[name] ?? null) !== null).toSorted((a, b) => ms[a] - ms[b]);
  const peerMs = ms[format] ?? null;
  const measured = ways.map((way, i) => ({ ...way, ms: ms[i] ?? null })).filter((way) => way.ms !== null);
  const shortest = Math.min(...measured.map((way) => way.ms));
  for (const way of measured)
    report.row({
      op: row.op,
      pass: row.pass,
      where: row.where,
      shape: row.shape,
      table: way.table,
      lowering: way.name,
      default: way.isDefault,
      fastest: way.ms === shortest,
      ms: round(way.ms),
      gflops: round(row.flops / way.ms / 1e6),
      gbs: round(bytes / way.ms / 1e6),
      roofShare: round(least / way.ms),
      peerMs: round(peerMs),
      peerForm: forms[format] ?? null,
      ratio: round(ratio(peerMs, way.ms)),
    });
}

/** A graph in the engine with inputs of its own; undefined where the engine can't load it. */
async function open(graph, prefix) {
  const resident = Object.fromEntries(graph.inputs.map(({ name }) => [name, prefix + name]));
  const tensors = Object.fromEntries(graph.inputs.map((input) => [prefix + input.name, anyTensor(input)]));
  let session;
  try {
    // As a training step's session is made.
    session = await engine.load(writeModel({ graph }), {
      name: graph.name,
      deterministic: true,
      extra: { 'session.disable_quant_qdq': '1' },
    });
  } catch {
    return undefined;
  }
  await engine.put(tensors, { transfer: true });
  // The engine plans its memory in the first run and lays it out in the second: only from the third on is it itself.
  const [, , third] = await engine.time(session, { resident }, { warmUp: 0, runs: 3 });
  const runs = Math.min(20, Math.max(1, Math.floor(10 / third)));
  return {
    least: Infinity,
    /** Milliseconds: the median of a few runs of a short op, so that one turn takes some milliseconds; the first refills the cache. */
    async time() {
      return median(await engine.time(session, { resident }, { warmUp: 1, runs }));
    },
    async close() {
      await session.release();
      await engine.free(Object.values(resident));
    },
  };
}

/** The most that the engine does of each, of a few large ops. */
async function measurePeaks() {
  const side = 2048;
  const pixels = 2 ** 24;
  const image = [8, 256, 28, 28];
  const products = {
    'product of 2048': [
      2 * side ** 3,
      (b) => b.op('MatMul', [b.input('x', 'float32', [side, side]), b.input('y', 'float32', [side, side])]),
    ],
    ...(block > 1 && {
      '3x3 convolution in blocks': [
        2 * 8 * 28 * 28 * 256 * 256 * 9,
        (b) =>
          b.op(
            'Conv',
            [b.input('x', 'float32', image), b.input('w', 'float32', [256, 256, 3, 3])],
            { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
            { domain: NCHWC_DOMAIN },
          ),
      ],
    }),
  };
  const copies = {
    'Add of 64 MB': [
      3 * 4 * pixels,
      (b) => b.op('Add', [b.input('x', 'float32', [pixels]), b.input('y', 'float32', [pixels])]),
    ],
    'Relu of 64 MB': [2 * 4 * pixels, (b) => b.op('Relu', [b.input('x', 'float32', [pixels])])],
  };
  const [product, gflops] = await fastest(products);
  const [copy, gbs] = await fastest(copies);
  return { gflops, product, gbs, copy };
}

/** Work a nanosecond: billions a second. */
async function fastest(candidates) {
  let best = ['', 0];
  for (const [name, [work, make]] of Object.entries(candidates)) {
    const b = new GraphBuilder('peak');
    b.output(make(b));
    const contestant = await open(withSmallOutputs(b.build()), 'peak/');
    for (let i = 0; i < 5; i++) {
      const rate = work / (await contestant.time()) / 1e6;
      if (rate > best[1]) best = [name, rate];
    }
    await contestant.close();
  }
  return best;
}
