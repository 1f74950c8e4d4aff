import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { foldConstants } from '../../src/onnx/fold.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';

function twoInputs(): Graph {
  const b = new GraphBuilder('two');
  const [x, z] = [b.input('x', 'float32', ['N', 3]), b.input('z', 'float32', ['N', 'M'])];
  b.output(b.op('Concat', [x, z], { axis: 1 }), 'y');
  return b.build();
}

describe('specialize', () => {
  it('settles a named side everywhere', () => {
    const graph = specialize(twoInputs(), { inputs: { z: [8, 5] } });
    expect(graph.inputs.map(({ type }) => type.shape)).toEqual([
      [8, 3],
      [8, 5],
    ]);
    expect(graph.outputs[0]!.type.shape).toEqual([8, 8]);
  });

  it('leaves sides open that nobody settles', () => {
    const graph = specialize(twoInputs(), { dims: { N: 4 } });
    expect(graph.inputs[1]!.type.shape).toEqual([4, 'M']);
    expect(graph.outputs[0]!.type.shape![0]).toBe(4);
  });

  it.each([
    [{ inputs: { q: [1] } }, /no input "q"; there are "x", "z"/],
    [{ inputs: { x: [1, 4] } }, /"x" has the shape \[N,3\], got \[1,4\]/],
    [{ inputs: { x: [1] } }, /"x" has the shape \[N,3\], got \[1\]/],
    [{ dims: { K: 1 } }, /No input has a side "K"; there are "N", "M"/],
    [{ dims: { N: 1.5 } }, /whole number/],
    [{ dims: { N: 2 }, inputs: { x: [3, 3] } }, /"N" can not be both 2 and 3/],
  ])('refuses %j', (options, message) => {
    expect(() => specialize(twoInputs(), options)).toThrow(message);
  });
});

const shared = new URL('../../../shared/models/', import.meta.url);

async function load(file: string): Promise<Graph> {
  return (await loadModel(fileURLToPath(new URL(file, shared)))).graph;
}

function opTypes(graph: Graph): Set<string> {
  return new Set(graph.nodes.map((node) => node.opType));
}

describe.skipIf(!existsSync(shared))('models of ../shared', () => {
  it('EfficientNet-Lite0: the chains that compute its pads are gone before the batch size is known', async () => {
    const before = await load('efficientnet_lite0_224.onnx');
    expect(opTypes(before)).toContain('ConstantOfShape');
    expect([...opTypes(foldConstants(before))].toSorted()).toEqual(
      ['Add', 'Clip', 'Conv', 'Flatten', 'Gemm', 'GlobalAveragePool', 'Pad'].toSorted(),
    );
  });

  it.each(['vit_eval', 'vit_dynamo'])('%s: nothing computes shapes once the batch size is known', async (name) => {
    const graph = specialize(await load(`zoo/${name}/model.onnx`), { dims: { N: 4 } });
    const sizes = new Set(['Shape', 'ConstantOfShape', 'Where', 'Equal', 'Range', 'Cast', 'Identity']);
    expect([...opTypes(graph)].filter((op) => sizes.has(op))).toEqual([]);
  });
});
