import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { lower } from '../../src/lowering/lower.ts';
import type { Target } from '../../src/lowering/target.ts';
import { blockSize, run } from './engine.ts';
import { NETWORKS, Network } from './networks.ts';

const block = await blockSize();

describe.skipIf(block === 1)('whole networks: blocked equals plain', () => {
  for (const [name, build] of Object.entries(NETWORKS))
    it(name, async () => {
      const net = new Network(name);
      const forward = build(net);
      const { graph, gradients } = gradient(forward, 'loss', net.parameters);
      const feeds = net.feeds(graph);
      const results: Record<string, Tensor>[] = [];
      for (const target of [{ kind: 'plain' }, { kind: 'blocked', block }] as const satisfies Target[]) {
        const { graph: lowered, layouts } = lower(graph, target, { parameters: net.parameters, gradients });
        expect(lowered.nodes.every((node) => node.domain !== 'gleaner.gradient')).toBe(true);
        const made = await run(lowered, feeds);
        for (const [parameter, layout] of layouts) {
          const output = gradients.get(parameter)!;
          expect(made[output]!.shape).toEqual(layout.packedShape);
          // Packing the unpacked gradient gives it back: padding held zeros.
          const plain = layout.unpack(made[output]!);
          expect(layout.pack(plain).data).toEqual(made[output]!.data);
          made[output] = plain;
        }
        results.push(made);
      }
      const [plain, blocked] = results as [Record<string, Tensor>, Record<string, Tensor>];
      for (const [output, value] of Object.entries(plain)) expectNear(blocked[output]!, value, output);
    });
});

function expectNear(actual: Tensor, expected: Tensor, what: string): void {
  expect(actual.shape, what).toEqual(expected.shape);
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array];
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  // Gradients in front of a batch norm cancel to nearly nothing: hence the absolute part.
  expect(Math.sqrt(difference), what).toBeLessThanOrEqual(2e-5 * Math.sqrt(norm) + 2e-6);
}
