import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { broadcastShapes } from '../../src/onnx/shapes/dimensions.ts';
import { sliceRange } from '../../src/onnx/shapes/indexing.ts';
import { INTERNAL_OPSET } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { specialize } from '../../src/onnx/specialize.ts';
import { writeModel } from '../../src/onnx/write.ts';

const folder = new URL('golden/models/', import.meta.url);
const originals = readdirSync(folder).map((file) => readFileSync(new URL(file, folder)));

/** Reading succeeds or throws a ModelError; anything else fails the test. */
function readOrRefuse(bytes: Uint8Array): void {
  try {
    readModel(bytes);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
  }
}

describe('damaged files end in a ModelError or in a model', () => {
  it('cut short', () => {
    fc.assert(
      fc.property(fc.constantFrom(...originals), fc.double({ min: 0, max: 1, noNaN: true }), (bytes, part) =>
        readOrRefuse(bytes.subarray(0, Math.floor(bytes.length * part))),
      ),
      { numRuns: 300 },
    );
  });

  it('with bytes changed', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.constantFrom(...originals), fc.array(change, { minLength: 1, maxLength: 8 }), (bytes, changes) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        readOrRefuse(damaged);
      }),
      { numRuns: 1500 },
    );
  });

  it('of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readOrRefuse(bytes)),
      { numRuns: 500 },
    );
  });

  it('nested without end', () => {
    // Field 7 (graph) holding field 1 (node) holding field 5 (attribute) holding field 6 (graph), and so on.
    let bytes = Buffer.alloc(0);
    const tags = [0x32, 0x2a, 0x0a];
    for (let depth = 0; depth < 3000; depth++) {
      const length = varint(bytes.length);
      bytes = Buffer.concat([Buffer.of(tags[depth % 3]!), length, bytes]);
    }
    const model = Buffer.concat([Buffer.of(0x08, 8), Buffer.of(0x3a), varint(bytes.length), bytes]);
    expect(() => readModel(model)).toThrow(ModelError);
  });
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** Chains of element-wise ops and reshapes on a tensor of open batch size. */
const chain = fc.array(fc.constantFrom('Relu', 'Neg', 'Add', 'Transpose', 'Flatten', 'Concat', 'Identity'), {
  maxLength: 12,
});

describe('graphs made at random', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(chain, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), (ops, sides) => {
        const b = new GraphBuilder('random');
        let x = b.input('x', 'float32', ['N', ...sides]);
        for (const op of ops) {
          if (op === 'Add') x = b.op(op, [x, b.float(1)]);
          else if (op === 'Concat') x = b.op(op, [x, x], { axis: -1 });
          else x = b.op(op, [x]);
        }
        b.output(x, 'y');
        const graph = b.build();
        const again = readModel(writeModel({ graph, minimumOpset: INTERNAL_OPSET })).graph;
        expect(again.nodes).toEqual(graph.nodes);
        const settled = specialize(again, { dims: { N: 3 } });
        expect(settled.outputs[0]!.type.shape!.every((side) => typeof side === 'number')).toBe(true);
        // An Identity is left only where nothing else stands between input and output.
        const left = settled.nodes.filter((node) => node.opType === 'Identity');
        expect(left.every((node) => node.inputs[0] === 'x')).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

function joined(...shapes: number[][]): unknown {
  try {
    return broadcastShapes(shapes, { unknownDim: () => '?' });
  } catch {
    return 'refused';
  }
}

describe('rules of shapes', () => {
  const shape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 });

  it('broadcasting is commutative and takes a scalar for nothing', () => {
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(joined(a, b)).toEqual(joined(b, a));
        expect(joined(a, [])).toEqual(a);
      }),
    );
  });

  it('a slice takes what Array.prototype.slice takes, and steps over it', () => {
    const index = fc.integer({ min: -8, max: 8 });
    fc.assert(
      fc.property(fc.nat({ max: 6 }), index, index, fc.constantFrom(1, 2, 3), (side, start, end, step) => {
        const all = [...Array(side).keys()];
        const expected = all.slice(start, end).filter((_, i) => i % step === 0);
        const { first, length } = sliceRange(side, start, end, step);
        expect(Array.from({ length }, (_, i) => all[first + i * step])).toEqual(expected);
      }),
    );
  });
});
