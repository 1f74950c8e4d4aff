// The table of ops: what each measures, at shapes of real networks. Adding one is an entry of `opRows`.
import { gradient } from '../../dist/autodiff/gradient.js';
import { GraphBuilder } from '../../dist/onnx/builder.js';
import { extract } from '../../dist/onnx/compose.js';
import { float, GRADIENT_DOMAIN } from '../../dist/onnx/graph.js';
import { addStepLoss } from '../../dist/train/step-loss.js';
import { compileStep } from '../../dist/train/compile-step.js';
import { buildNetwork, stepOptions, targetOf } from './networks.mjs';

/**
 * @typedef {object} OpRow
 * @property {string} op
 * @property {string} pass forward, dX, dW, backward, both (forward and backward) or update
 * @property {string} where a network that has it
 * @property {string} shape in words
 * @property {object} graph the mathematics: plain ONNX and abstract ops
 * @property {string[]} activations inputs that lie in blocks inside a step
 * @property {string[]} weights inputs that lie as the step likes best; their gradients are `NAME_grad`
 * @property {string[]} outputs what is asked of the graph
 * @property {boolean} kept whether the outputs leave the engine's arena in a step too, as parameters do
 * @property {string[]} unread inputs that the op itself does not read
 * @property {number} flops products and sums
 * @property {object} peer the question to bench/peers/ops.py
 */

/** All rows; `block` is the engine's (for the optimizer's packed parameters). Each is made when it is its turn. */
export function opRows(block) {
  return [
    // The first convolution: no dX.
    ...conv('MobileNetV2 stem', [8, 3, 224, 224], 32, { k: 3, stride: 2 }, ['forward', 'dW']),
    ...conv('CIFAR stem w16', [128, 3, 32, 32], 16, { k: 3 }, ['forward', 'dW']),
    ...conv('CIFAR stem w64', [64, 3, 32, 32], 64, { k: 3 }, ['forward', 'dW']),
    ...conv('ViT patches', [8, 3, 224, 224], 192, { k: 16, stride: 16, pad: 0 }, ['forward', 'dW']),
    // Dense 3x3.
    ...conv('ResNet-18 w16, stage 1', [128, 16, 32, 32], 16, { k: 3 }),
    ...conv('ResNet-18 w16, stage 2', [128, 32, 16, 16], 32, { k: 3 }),
    ...conv('ResNet-18 w16, stage 3', [128, 64, 8, 8], 64, { k: 3 }),
    ...conv('ResNet-18 w16, stage 4', [128, 128, 4, 4], 128, { k: 3 }),
    ...conv('ResNet-18 w64, stage 1', [64, 64, 32, 32], 64, { k: 3 }),
    ...conv('ResNet-18 w64, stage 2', [64, 128, 16, 16], 128, { k: 3 }),
    ...conv('ResNet-18 w64, stage 3', [64, 256, 8, 8], 256, { k: 3 }),
    ...conv('ResNet-18 w64, stage 4', [64, 512, 4, 4], 512, { k: 3 }),
    // Stride 2.
    ...conv('ResNet-18 w16, into stage 2', [128, 16, 32, 32], 32, { k: 3, stride: 2 }),
    ...conv('ResNet-18 w64, into stage 2', [64, 64, 32, 32], 128, { k: 3, stride: 2 }),
    ...conv('ResNet-18 w64, into stage 4', [64, 256, 8, 8], 512, { k: 3, stride: 2 }),
    ...conv('ResNet-18 w64, shortcut', [64, 64, 32, 32], 128, { k: 1, stride: 2 }),
    ...conv('ConvNeXt-atto, downsampling', [8, 40, 56, 56], 80, { k: 2, stride: 2, pad: 0 }),
    // 1x1, large maps to small.
    ...conv('MobileNetV2 expand 112', [8, 16, 112, 112], 96, { k: 1 }),
    ...conv('MobileNetV2 project 56', [8, 144, 56, 56], 24, { k: 1 }),
    ...conv('MobileNetV2 expand 28', [8, 32, 28, 28], 192, { k: 1 }),
    ...conv('MobileNetV2 project 14', [8, 576, 14, 14], 96, { k: 1 }),
    ...conv('MobileNetV2 expand 7', [8, 160, 7, 7], 960, { k: 1 }),
    ...conv('MobileNetV2 last', [8, 320, 7, 7], 1280, { k: 1 }),
    // Depthwise.
    ...conv('MobileNetV2 depthwise 112, stride 2', [8, 96, 112, 112], 96, { k: 3, stride: 2, group: 96 }),
    ...conv('MobileNetV2 depthwise 56', [8, 144, 56, 56], 144, { k: 3, group: 144 }),
    ...conv('MobileNetV2 depthwise 14', [8, 576, 14, 14], 576, { k: 3, group: 576 }),
    ...conv('MobileNetV2 depthwise 7', [8, 960, 7, 7], 960, { k: 3, group: 960 }),
    ...conv('MobileNetV2 depthwise 14, stride 2', [8, 576, 14, 14], 576, { k: 3, stride: 2, group: 576 }),
    ...conv('ConvNeXt-atto depthwise 56', [8, 40, 56, 56], 40, { k: 7, group: 40 }),
    ...conv('ConvNeXt-atto depthwise 14', [8, 160, 14, 14], 160, { k: 7, group: 160 }),
    // Batch norm on the batch's statistics.
    ...batchNorm('MobileNetV2 112', [8, 96, 112, 112]),
    ...batchNorm('MobileNetV2 14', [8, 384, 14, 14]),
    ...batchNorm('ResNet-18 w16, stage 1', [128, 16, 32, 32]),
    ...batchNorm('ResNet-18 w64, stage 1', [64, 64, 32, 32]),
    ...batchNorm('ResNet-18 w64, stage 4', [64, 512, 4, 4]),
    // Activation masks.
    activationGrad('ResNet-18 w16, stage 1', 'ReluGrad', [128, 16, 32, 32]),
    activationGrad('ResNet-18 w64, stage 1', 'ReluGrad', [64, 64, 32, 32]),
    activationGrad('MobileNetV2 112', 'ClipGrad', [8, 96, 112, 112], { min: float(0), max: float(6) }),
    activationGrad('MobileNetV2 14', 'ClipGrad', [8, 384, 14, 14], { min: float(0), max: float(6) }),
    activationGrad('MobileNetV3 56', 'HardSwishGrad', [8, 64, 56, 56]),
    composedGrad('ConvNeXt-atto 56, 4C', 'Gelu', [8, 56, 56, 160], (b, x) => b.op('Gelu', [x]), { activations: [] }),
    composedGrad('ViT-tiny, 4C', 'Gelu', [8, 197, 768], (b, x) => b.op('Gelu', [x]), { activations: [] }),
    composedGrad('EfficientNet 56', 'SiLU', [8, 144, 56, 56], (b, x) => b.op('Mul', [x, b.op('Sigmoid', [x])])),
    // Pooling.
    ...maxPool('ResNet-18 224', [8, 64, 112, 112], { k: 3, stride: 2, pad: 1 }),
    ...maxPool('digits', [64, 32, 28, 28], { k: 2, stride: 2, pad: 0 }),
    ...globalPool('MobileNetV2', [8, 1280, 7, 7]),
    ...globalPool('ResNet-18 w64', [64, 512, 4, 4]),
    // Without convolutions.
    crossEntropy('10 classes', [128, 10]),
    crossEntropy('1,000 classes', [32, 1000]),
    ...layerNorm('ViT-tiny', [8, 197, 192]),
    ...layerNorm('ConvNeXt-atto 56', [8, 56, 56, 40]),
    ...attention('ViT-tiny', { n: 8, heads: 3, tokens: 197, size: 64 }),
    ...linear('ViT-tiny, qkv', [8 * 197, 192], 576),
    ...linear('ViT-tiny, up', [8 * 197, 192], 768),
    // Whole updates, with the norm of all gradients that a step needs.
    update('mobilenetv2', block, { name: 'sgd', momentum: 0.9 }),
    update('mobilenetv2', block, { name: 'adamw', weightDecay: 0.05 }),
    update('resnet18-cifar-w64', block, { name: 'sgd', momentum: 0.9 }),
    update('vit-tiny', block, { name: 'adamw', weightDecay: 0.05 }),
  ];
}

/** A row that is made by `make()` when it is its turn. */
const later = (names, make) => ({
  ...names,
  make: () => ({ activations: [], weights: [], flops: 0, ...names, ...make() }),
});
const abstract = (b, op, inputs, attributes, outputs) =>
  b.ops(op, inputs, attributes, { domain: GRADIENT_DOMAIN, outputs });
const sides = (shape) => shape.join('x');
const count = (shape) => shape.reduce((a, b) => a * b, 1);

function conv(where, x, outputs, { k, stride = 1, pad = (k - 1) >> 1, group = 1 }, passes = ['forward', 'dX', 'dW']) {
  const [n, channels, ...map] = x;
  const w = [outputs, channels / group, k, k];
  const y = [n, outputs, ...map.map((side) => Math.floor((side + 2 * pad - k) / stride) + 1)];
  const attributes = {
    kernel_shape: [k, k],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    dilations: [1, 1],
    group,
  };
  const kind = group > 1 ? 'depthwise conv' : 'conv';
  // A few channels are read as they are.
  const inBlocks = (names) => (channels > 4 ? names : names.filter((name) => name !== 'x'));
  const graphs = {
    forward: (b) => {
      b.output(b.op('Conv', [b.input('x', 'float32', x), b.input('w', 'float32', w)], attributes, { outputs: ['y'] }));
      return { activations: inBlocks(['x']), outputs: ['y'], weights: ['w'] };
    },
    dX: (b) => {
      const inputs = [b.input('dy', 'float32', y), b.input('w', 'float32', w)];
      b.output(abstract(b, 'ConvGradInput', inputs, { ...attributes, input_shape: x }, ['dx'])[0]);
      return { activations: ['dy'], outputs: ['dx'], weights: ['w'] };
    },
    dW: (b) => {
      const [dy, input] = [b.input('dy', 'float32', y), b.input('x', 'float32', x)];
      // What reads the weight decides how its gradient lies; it is not asked for.
      b.output(b.op('Conv', [input, b.input('w', 'float32', w)], attributes, { outputs: ['y'] }));
      b.output(abstract(b, 'ConvGradWeight', [dy, input], { ...attributes, weight_shape: w }, ['w_grad'])[0]);
      return { activations: inBlocks(['dy', 'x']), outputs: ['w_grad'], weights: ['w'], unread: ['w'] };
    },
  };
  return passes.map((pass) =>
    later(
      { op: kind, pass, where, shape: `${sides(x)}, ${k}x${k}${stride > 1 ? `/${stride}` : ''} to ${outputs}` },
      () => {
        const b = new GraphBuilder(`conv_${pass}`);
        const spec = graphs[pass](b);
        const flops = 2 * count(y) * (channels / group) * k * k;
        return { graph: b.build(), ...spec, flops, peer: { op: 'conv', pass, x, w, stride, pad, group } };
      },
    ),
  );
}

function batchNorm(where, x) {
  const names = { op: 'batch norm', where, shape: sides(x) };
  const c = [x[1]];
  const attributes = { epsilon: float(1e-5) };
  return [
    later({ ...names, pass: 'forward' }, () => {
      const b = new GraphBuilder('batch_norm');
      const inputs = [b.input('x', 'float32', x), b.input('scale', 'float32', c), b.input('bias', 'float32', c)];
      const outputs = ['y', 'mean', 'var'];
      for (const value of abstract(b, 'BatchNormTraining', inputs, attributes, outputs)) b.output(value);
      return { graph: b.build(), activations: ['x'], outputs, peer: { op: 'batch-norm', pass: 'forward', x } };
    }),
    later({ ...names, pass: 'backward' }, () => {
      const b = new GraphBuilder('batch_norm_backward');
      const inputs = [b.input('dy', 'float32', x), b.input('x', 'float32', x)];
      for (const name of ['scale', 'mean', 'variance']) inputs.push(b.input(name, 'float32', c));
      const outputs = ['dx', 'dscale', 'dbias'];
      for (const value of abstract(b, 'BatchNormTrainingGrad', inputs, attributes, outputs)) b.output(value);
      return {
        graph: b.build(),
        activations: ['dy', 'x'],
        outputs,
        peer: { op: 'batch-norm', pass: 'backward', x },
      };
    }),
  ];
}

function activationGrad(where, op, x, attributes = {}) {
  return later({ op: op.replace('Grad', ''), pass: 'backward', where, shape: sides(x) }, () => {
    const b = new GraphBuilder(op);
    const inputs = [b.input('dy', 'float32', x), b.input('x', 'float32', x)];
    b.output(abstract(b, op, inputs, attributes, ['dx'])[0]);
    return { graph: b.build(), activations: ['dy', 'x'], outputs: ['dx'], peer: { op, pass: 'backward', x } };
  });
}

/** The gradient of an activation that is no abstract op, from its input. */
function composedGrad(where, op, x, make, { activations = ['dy', 'x'] } = {}) {
  return later({ op, pass: 'backward', where, shape: sides(x) }, () => {
    const b = new GraphBuilder(op);
    const y = make(b, b.input('x', 'float32', x));
    return { ...backward(b, y, x, ['x']), activations, peer: { op, pass: 'backward', x } };
  });
}

/** dL/d`wrt` of a graph so far, from dL/dy as the input `dy`; with `y` also asked for, forward is part of it. */
function backward(b, y, shape, wrt, { forward = false } = {}) {
  const seed = b.input('dy', 'float32', shape);
  b.output(y);
  const { graph, gradients } = gradient(b.build(), y, wrt, { seed });
  const outputs = [...(forward ? [y] : []), ...wrt.map((name) => gradients.get(name))];
  return { graph: extract(graph, outputs), outputs };
}

function maxPool(where, x, { k, stride, pad }) {
  const y = [x[0], x[1], ...x.slice(2).map((side) => Math.floor((side + 2 * pad - k) / stride) + 1)];
  const attributes = { kernel_shape: [k, k], strides: [stride, stride], pads: [pad, pad, pad, pad] };
  const names = { op: 'max pool', where, shape: `${sides(x)}, ${k}x${k}/${stride}` };
  const peer = { op: 'max-pool', x, k, stride, pad };
  return [
    later({ ...names, pass: 'forward' }, () => {
      const b = new GraphBuilder('max_pool');
      b.output(b.op('MaxPool', [b.input('x', 'float32', x)], attributes, { outputs: ['y'] }));
      return { graph: b.build(), activations: ['x'], outputs: ['y'], peer: { ...peer, pass: 'forward' } };
    }),
    later({ ...names, pass: 'backward' }, () => {
      const b = new GraphBuilder('max_pool_backward');
      const inputs = [b.input('dy', 'float32', y), b.input('x', 'float32', x), b.input('y', 'float32', y)];
      const all = { ...attributes, dilations: [1, 1], ceil_mode: 0 };
      b.output(abstract(b, 'MaxPoolGrad', inputs, all, ['dx'])[0]);
      return { graph: b.build(), activations: ['dy', 'x', 'y'], outputs: ['dx'], peer: { ...peer, pass: 'backward' } };
    }),
  ];
}

function globalPool(where, x) {
  const y = [x[0], x[1], 1, 1];
  const names = { op: 'global average pool', where, shape: sides(x) };
  return [
    later({ ...names, pass: 'forward' }, () => {
      const b = new GraphBuilder('global_pool');
      b.output(b.op('GlobalAveragePool', [b.input('x', 'float32', x)], {}, { outputs: ['y'] }));
      return { graph: b.build(), activations: ['x'], outputs: ['y'], peer: { op: 'global-pool', pass: 'forward', x } };
    }),
    later({ ...names, pass: 'backward' }, () => {
      const b = new GraphBuilder('global_pool_backward');
      b.output(abstract(b, 'GlobalAveragePoolGrad', [b.input('dy', 'float32', y)], { input_shape: x }, ['dx'])[0]);
      return { graph: b.build(), outputs: ['dx'], peer: { op: 'global-pool', pass: 'backward', x } };
    }),
  ];
}

function crossEntropy(where, [n, classes]) {
  return later({ op: 'cross-entropy', pass: 'both', where, shape: sides([n, classes]) }, () => {
    const b = new GraphBuilder('cross_entropy');
    const logits = b.input('logits', 'float32', [n, classes]);
    const loss = addStepLoss(
      b,
      { name: 'cross-entropy' },
      {
        logits,
        labels: b.input('labels', 'int64', [n]),
        scale: b.input('scale', 'float32', []),
      },
    );
    b.output(loss);
    const { graph, gradients } = gradient(b.build(), loss, ['logits']);
    const outputs = [loss, gradients.get('logits')];
    return { graph: extract(graph, outputs), outputs, peer: { op: 'cross-entropy', pass: 'both', x: [n, classes] } };
  });
}

function layerNorm(where, x) {
  const c = [x.at(-1)];
  return ['forward', 'both'].map((pass) =>
    later({ op: 'layer norm', pass, where, shape: sides(x) }, () => {
      const b = new GraphBuilder('layer_norm');
      const inputs = [b.input('x', 'float32', x), b.input('scale', 'float32', c), b.input('bias', 'float32', c)];
      const y = b.op('LayerNormalization', inputs, { axis: -1, epsilon: float(1e-6) });
      const peer = { op: 'layer-norm', pass, x };
      return { ...forwardOrBoth(b, y, x, pass, ['x', 'scale', 'bias']), peer };
    }),
  );
}

function forwardOrBoth(b, y, shape, pass, wrt) {
  if (pass === 'both') return backward(b, y, shape, wrt, { forward: true });
  b.output(y);
  return { graph: b.build(), outputs: [y] };
}

function attention(where, { n, heads, tokens, size }) {
  const shape = [n, heads, tokens, size];
  return ['forward', 'both'].map((pass) =>
    later({ op: 'attention', pass, where, shape: sides(shape) }, () => {
      const b = new GraphBuilder('attention');
      const [q, k, v] = ['q', 'k', 'v'].map((name) => b.input(name, 'float32', shape));
      const scaled = b.op('Mul', [q, b.float(size ** -0.5)]);
      const scores = b.op('MatMul', [scaled, b.op('Transpose', [k], { perm: [0, 1, 3, 2] })]);
      const y = b.op('MatMul', [b.op('Softmax', [scores], { axis: -1 }), v]);
      // Two products forward, four backward.
      const flops = (pass === 'both' ? 6 : 2) * 2 * n * heads * tokens * tokens * size;
      return { ...forwardOrBoth(b, y, shape, pass, ['q', 'k', 'v']), flops, peer: { op: 'attention', pass, x: shape } };
    }),
  );
}

function linear(where, x, outputs) {
  const [rows, inputs] = x;
  return ['forward', 'both'].map((pass) =>
    later({ op: 'linear', pass, where, shape: `${sides(x)} to ${outputs}` }, () => {
      const b = new GraphBuilder('linear');
      const y = b.op('MatMul', [b.input('x', 'float32', x), b.input('w', 'float32', [inputs, outputs])]);
      const flops = (pass === 'both' ? 3 : 1) * 2 * rows * inputs * outputs;
      return {
        ...forwardOrBoth(b, y, [rows, outputs], pass, ['x', 'w']),
        flops,
        peer: { op: 'linear', pass, x, outputs },
      };
    }),
  );
}

/** The optimizer's graph as a step with several passes has it. */
function update(network, block, optimizer) {
  return later({ op: optimizer.name, pass: 'update', where: network, shape: '' }, () => {
    const built = buildNetwork(network);
    const options = { mode: 'frozen', batch: 1, target: targetOf(block), built, optimizer, microBatches: 2 };
    const { update: graph } = compileStep(stepOptions(network, options));
    const parameters = built.parameters.length;
    return {
      shape: `${parameters} tensors`,
      graph,
      kept: true,
      outputs: graph.outputs.map(({ name }) => name),
      peer: { op: 'update', pass: 'update', network, optimizer: optimizer.name },
    };
  });
}
