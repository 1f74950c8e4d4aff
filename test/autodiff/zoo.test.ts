import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/gradient.ts';
import { trainableParameters } from '../../src/autodiff/parameters.ts';
import { prepare } from '../../src/autodiff/prepare.ts';
import { fromNumbers, toNumbers } from '../../src/core/tensor.ts';
import { evaluate } from '../reference/interpreter.ts';
import { gradientNorm, hasZoo, loadZooModel, norm, relativeError, ZOO_MODELS } from '../support/zoo.ts';

/** Small enough for five steps in plain JavaScript: batch statistics and their running forms, and without. */
const STEPPED = ['efficientnet_train', 'efficientnet_fused'];

describe.skipIf(!hasZoo)('the zoo: what PyTorch computes', () => {
  it.each(ZOO_MODELS)('%s: logits, loss and the gradient of every initializer', async (name) => {
    const model = await loadZooModel(name);
    const { graph, tensors, parameters, feeds } = model;
    expect(trainableParameters(graph, 'loss').toSorted()).toEqual([...parameters].toSorted());
    const { graph: step, gradients } = gradient(prepare(graph).graph, 'loss', parameters);
    const values = evaluate(step, feeds);
    expect(relativeError(values.get('logits')!, tensors.get('logits')!)).toBeLessThan(1e-5);
    expect(relativeError(values.get('loss')!, tensors.get('loss')!)).toBeLessThan(1e-5);
    const together = gradientNorm(model);
    for (const parameter of parameters) {
      const found = values.get(gradients.get(parameter)!)!;
      expect(found.shape).toEqual(tensors.get(`grad/${parameter}`)!.shape);
      // Biases in front of a batch norm have gradient 0 and hold float32 noise in the file: 1e-3 as its README measures, the others 1e-5.
      const error = relativeError(found, tensors.get(`grad/${parameter}`)!, 1e-4 * together);
      const isNoise = norm(toNumbers(found)) < 1e-10 * together;
      expect(error, `${parameter}: relative error ${error}`).toBeLessThan(isNoise ? 1e-3 : 1e-5);
    }
  });

  it.each(STEPPED)('%s: the losses of five steps of SGD, and running statistics', async (name) => {
    const { graph, tensors, parameters, feeds } = await loadZooModel(name);
    const { graph: prepared, bufferUpdates } = prepare(graph);
    const { graph: step, gradients } = gradient(prepared, 'loss', parameters);
    const state = new Map(graph.initializers);
    const momenta = new Map(parameters.map((parameter) => [parameter, toNumbers(state.get(parameter)!).map(() => 0)]));
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      const initializers = new Map([...step.initializers].map(([key, value]) => [key, state.get(key) ?? value]));
      const values = evaluate({ ...step, initializers }, feeds);
      losses.push(toNumbers(values.get('loss')!)[0]!);
      // SGD with Nesterov momentum 0.9, learning rate 0.01, weight decay 5e-4, as PyTorch defines it.
      for (const parameter of parameters) {
        const weights = state.get(parameter)!;
        const g = toNumbers(values.get(gradients.get(parameter)!)!);
        const moved = toNumbers(weights).map((w, j) => {
          const decayed = g[j]! + 5e-4 * w;
          const momentum = 0.9 * momenta.get(parameter)![j]! + decayed;
          momenta.get(parameter)![j] = momentum;
          return w - 0.01 * (decayed + 0.9 * momentum);
        });
        state.set(parameter, fromNumbers('float64', weights.shape, moved));
      }
      // The running statistics in model.onnx hold the first step's update already: PyTorch's exporter ran the network
      // on this same batch, in training mode, to trace it (from them, updates 2 to 5 give the recorded ones to 1e-6).
      if (i > 0) for (const [buffer, updated] of bufferUpdates) state.set(buffer, values.get(updated)!);
    }
    const recorded = toNumbers(tensors.get('loss_sgd_lr0.01_m0.9_nesterov_wd5e-4')!);
    const tolerance = name.endsWith('train') ? 3e-3 : 2e-5;
    for (const [i, loss] of losses.entries())
      expect(Math.abs(loss / recorded[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(tolerance);
    const buffers = [...tensors.keys()].flatMap((key) => (key.startsWith('buffer_after_5/') ? [key.slice(15)] : []));
    expect([...bufferUpdates.keys()].toSorted()).toEqual(buffers.toSorted());
    for (const buffer of buffers)
      expect(relativeError(state.get(buffer)!, tensors.get(`buffer_after_5/${buffer}`)!), buffer).toBeLessThan(1e-3);
  });
});
