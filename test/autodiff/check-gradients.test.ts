import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { evaluate } from '../reference/interpreter.ts';

const float64 = (values: readonly number[]): Tensor => fromNumbers('float64', [values.length], values);

/** y = w sin x, and w's square. */
function graph(): Graph {
  const b = new GraphBuilder('wave');
  const x = b.input('x', 'float64', [3]);
  b.initializer('w', float64([1, 2, 3]));
  b.output(b.op('Mul', [b.op('Sin', [x]), 'w']), 'y');
  b.output(b.op('Mul', ['w', 'w']), 'square');
  return b.build();
}

const feeds = new Map([['x', float64([0.3, -1, 2])]]);

/** An engine that computes one gradient wrongly. */
function wrong(name: string, factor: number): typeof evaluate {
  return (g, values) => {
    const results = evaluate(g, values);
    const gradient = results.get(`${name}_grad`);
    if (gradient !== undefined)
      results.set(
        `${name}_grad`,
        fromNumbers(
          'float64',
          gradient.shape,
          toNumbers(gradient).map((v) => v * factor),
        ),
      );
    return results;
  };
}

describe('checkGradients', () => {
  it('returns how far the two numbers are apart', () => {
    expect(checkGradients(graph(), { evaluate, feeds, wrt: ['x', 'w'] })).toBeLessThan(1e-9);
  });

  it('tells a gradient that is a ten-thousandth off, with both numbers', () => {
    expect(() => checkGradients(graph(), { evaluate: wrong('x', 1.0001), feeds })).toThrow(
      /gradient of "wave" with respect to "x" along a random direction is -?[\d.]+, central differences give -?[\d.]+/,
    );
    expect(() => checkGradients(graph(), { evaluate: wrong('w', 1.0001), feeds })).not.toThrow();
    expect(() => checkGradients(graph(), { evaluate: wrong('w', 1.0001), feeds, wrt: ['w'] })).toThrow('"w"');
  });

  it('differentiates only the outputs asked for', () => {
    let seen: number[] = [];
    const watched: typeof evaluate = (g, values) => {
      const results = evaluate(g, values);
      const gradient = results.get('w_grad');
      if (gradient !== undefined) seen = toNumbers(gradient);
      return results;
    };
    checkGradients(graph(), { evaluate: watched, feeds, wrt: ['w'], outputs: ['square'], seed: 3 });
    const first = seen;
    expect(first).toHaveLength(3);
    checkGradients(graph(), {
      evaluate: watched,
      feeds: new Map([['x', float64([1, 1, 1])]]),
      wrt: ['w'],
      outputs: ['square'],
      seed: 3,
    });
    expect(seen).toEqual(first);
  });

  it('needs a value for every input it moves', () => {
    expect(() =>
      checkGradients(graph(), { evaluate: () => new Map([['x_grad', float64([0])]]), feeds: new Map() }),
    ).toThrow('needs a value for "x"');
  });
});
