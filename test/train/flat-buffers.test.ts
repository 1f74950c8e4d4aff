import { expect, it } from 'vitest';
import { float32, toNumbers } from '../../src/core/tensor.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { compileStep } from '../../src/train/compile-step.ts';
import {
  flatBuffers,
  joinMembers,
  packMembers,
  unpackMembers,
  withBufferInputs,
} from '../../src/train/flat-buffers.ts';
import { run } from '../lowering/engine.ts';
import { tinyModel, tinyStep } from './tiny.ts';

it('small tensors of one key lie together, large ones and those of other keys do not', () => {
  const buffers = flatBuffers(
    [
      { name: 'a', shape: [3], key: 'x' },
      { name: 'large', shape: [128, 256], key: 'x' },
      { name: 'b', shape: [2], key: 'y' },
      { name: 'c', shape: [2, 2], key: 'x' },
    ],
    'flat',
  );
  expect(buffers.map(({ shape, members }) => [shape, members.map(({ name, offset }) => [name, offset])])).toEqual([
    [
      [7],
      [
        ['a', 0],
        ['c', 3],
      ],
    ],
    [[128, 256], [['large', 0]]],
    [[2], [['b', 0]]],
  ]);
});

it('a graph reads and writes them as if they were apart', async () => {
  const b = new GraphBuilder('graph');
  const [row, square] = [b.input('row', 'float32', [3]), b.input('square', 'float32', [2, 2])];
  const twice = b.op('Add', [row, row]);
  const negative = b.op('Neg', [square]);
  const [flat] = flatBuffers(
    [
      { name: 'row', shape: [3], key: '' },
      { name: 'square', shape: [2, 2], key: '' },
    ],
    'flat',
  );
  const made = GraphBuilder.from(withBufferInputs(b.build(), [flat!]));
  const joined = made.output(
    joinMembers(
      made,
      flat!,
      new Map([
        ['row', twice],
        ['square', negative],
      ]),
    ),
  );
  const content = packMembers(
    flat!,
    new Map([
      ['row', float32([1, 2, 3])],
      ['square', float32([4, 5, 6, 7], [2, 2])],
    ]),
  );
  const outputs = await run(made.build(), { [flat!.name]: content });
  const members = unpackMembers(flat!, outputs[joined]!);
  expect(toNumbers(members.get('row')!)).toEqual([2, 4, 6]);
  expect(members.get('square')!.shape).toEqual([2, 2]);
  expect(toNumbers(members.get('square')!)).toEqual([-4, -5, -6, -7]);
});

it('parameters are joined where the optimizer treats them alike, and never where it looks at each as a whole', () => {
  const model = tinyModel();
  const options = tinyStep(model);
  const groups = options.parameters.map((parameter) => ({
    ...parameter,
    group: parameter.name.startsWith('fc.') ? 'head' : 'body',
  }));
  const alike = compileStep({ ...options, parameters: groups, optimizer: { name: 'adamw', weightDecay: 0.1 } });
  const kinds = new Map(groups.map(({ name, group, decay }) => [name, `${group}/${decay}`]));
  for (const { members } of alike.parameters) expect(new Set(members.map(({ name }) => kinds.get(name))).size).toBe(1);
  expect(alike.parameters.length).toBe(new Set(kinds.values()).size);
  expect(compileStep({ ...options, optimizer: { name: 'lamb' } }).parameters.length).toBe(groups.length);
});
