import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { LoweringCandidate } from '../../src/lowering/lowering.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { GRADIENT_DOMAIN } from '../../src/onnx/graph.ts';
import { blockSize, run } from './engine.ts';
import { NETWORKS, Network } from './networks.ts';

const block = await blockSize();

function differentiated(name: keyof typeof NETWORKS) {
  const net = new Network(name);
  return { net, ...gradient(NETWORKS[name]!(net), 'loss', net.parameters) };
}

describe('lower', () => {
  it('keeps the names of inputs and outputs', () => {
    const { net, graph, gradients } = differentiated('squeeze and excitation');
    for (const target of [{ kind: 'plain' }, { kind: 'blocked', block: 8 }] as const) {
      const lowered = lower(graph, target, { parameters: net.parameters, gradients }).graph;
      expect(lowered.inputs.map((input) => input.name)).toEqual(graph.inputs.map((input) => input.name));
      expect(lowered.outputs.map((output) => output.name)).toEqual(graph.outputs.map((output) => output.name));
    }
  });

  it('is the same every time', () => {
    const { net, graph, gradients } = differentiated('channels that are no whole blocks');
    const once = (): string =>
      JSON.stringify(
        lower(graph, { kind: 'blocked', block: 8 }, { parameters: net.parameters, gradients }).graph.nodes,
      );
    expect(once()).toBe(once());
  });

  it('leaves parameters plain unless told that they may be packed', () => {
    const { graph } = differentiated('squeeze and excitation');
    const { graph: lowered, layouts } = lower(graph, { kind: 'blocked', block: 8 });
    expect(layouts.size).toBe(0);
    for (const { name, type } of graph.outputs)
      expect(lowered.outputs.find((output) => output.name === name)!.type.shape).toEqual(type.shape);
  });

  it('says which shape it lacks', () => {
    const b = new GraphBuilder('g');
    const [x, y] = [b.input('x', 'float32', ['N', 4]), b.input('y', 'float32', ['N', 4])];
    b.output(b.op('ReluGrad', [x, y], {}, { domain: GRADIENT_DOMAIN }), 'z');
    expect(() => lower(b.build(), { kind: 'plain' })).toThrow(/ReluGrad.*"x" has \[N,4\]/);
  });

  it('refuses a choice that is no candidate, and a block of 1', () => {
    const { graph } = differentiated('squeeze and excitation');
    expect(() => lower(graph, { kind: 'plain', choose: () => 99 })).toThrow(/must be an index, got 99/);
    expect(() => lower(graph, { kind: 'blocked', block: 1 })).toThrow(/at least 2 channels, got 1/);
  });

  it.skipIf(block === 1)('offers every candidate as a graph of its own that runs, under a key of its own', async () => {
    const { graph } = differentiated('residuals, batch statistics');
    const seen = new Map<string, readonly LoweringCandidate[]>();
    const choose = (candidates: readonly LoweringCandidate[], key: string): number => {
      const known = seen.get(key);
      if (known !== undefined) expect(candidates.map((c) => c.name)).toEqual(known.map((c) => c.name));
      seen.set(key, candidates);
      return 0;
    };
    lower(graph, { kind: 'blocked', block, choose });
    expect(seen.size).toBeGreaterThan(5);
    for (const [key, candidates] of seen) {
      expect(candidates.length, key).toBeGreaterThan(1);
      for (const candidate of candidates) {
        const alone = candidate.graph();
        const feeds = Object.fromEntries(
          alone.inputs.map(({ name, type }) => [name, new Network('feeds').random(type.shape as number[], 1)]),
        );
        const results = await run(alone, feeds);
        for (const { name, type } of alone.outputs) expect(results[name]!.shape).toEqual(type.shape);
      }
    }
  });
});
