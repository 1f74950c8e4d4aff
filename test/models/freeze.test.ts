import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { zeros } from '../../src/core/tensor.ts';
import { frozenPrefix, selectTrainable } from '../../src/models/freeze.ts';
import { parameterGroups } from '../../src/models/parameter-groups.ts';
import { buildModel } from '../../src/models/registry.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { loadModel } from '../../src/onnx/read.ts';

const resnet = buildModel('cifar_resnet8', { classes: 10 });

const select = (patterns: object): string[] => selectTrainable(resnet.graph, resnet.parameters, patterns);

describe('selectTrainable', () => {
  test('takes globs over parameters; --freeze wins', () => {
    expect(select({})).toEqual(resnet.parameters);
    expect(select({ train: ['fc.*'] })).toEqual(['fc.weight', 'fc.bias']);
    expect(select({ train: ['layer3.*', 'fc.*'], freeze: ['*.bn?.*', '*downsample*'] })).toEqual([
      'layer3.0.conv1.weight',
      'layer3.0.conv2.weight',
      'fc.weight',
      'fc.bias',
    ]);
  });

  test('takes the name of a node for what it reads, also through a transposed weight', () => {
    expect(select({ train: ['layer3.0.bn1'] })).toEqual(['layer3.0.bn1.weight', 'layer3.0.bn1.bias']);
    const { graph, parameters } = buildModel('vit_tiny_patch16_224', { classes: 2, inputSize: 32 });
    expect(selectTrainable(graph, parameters, { train: ['blocks.3.attn.qkv.matmul'] })).toEqual([
      'blocks.3.attn.qkv.weight',
    ]);
  });

  test('a dot is a dot', () => {
    expect(() => select({ train: ['fc?weigh.'] })).toThrow(InputError);
  });

  test('refuses a pattern that matches nothing, and to leave nothing', () => {
    expect(() => select({ freeze: ['conv1.wieght'] })).toThrow(
      /--freeze conv1.wieght matches no .*did you mean "conv1.weight"/,
    );
    expect(() => select({ train: ['fc.*'], freeze: ['*'] })).toThrow('leave nothing to train');
  });
});

describe('frozenPrefix', () => {
  test('ends where the first trained parameter is read', () => {
    const head = frozenPrefix(resnet.graph, ['fc.weight']);
    expect(head.boundary).toEqual(['embedding']);
    expect(head.nodes).toHaveLength(resnet.graph.nodes.length - 1);
    // The block's input is read twice: by its first convolution and by the projection.
    expect(frozenPrefix(resnet.graph, ['layer3.0.conv1.weight']).boundary).toEqual([
      'layer2.0.act',
      'layer3.0.downsample.1',
    ]);
    expect(frozenPrefix(resnet.graph, ['layer3.0.conv1.weight', 'layer3.0.downsample.0.weight']).boundary).toEqual([
      'layer2.0.act',
    ]);
  });

  test('is empty where the first layer is trained, and everything where nothing is', () => {
    expect(frozenPrefix(resnet.graph, resnet.parameters)).toEqual({ boundary: ['input'], nodes: [] });
    expect(frozenPrefix(resnet.graph, []).boundary).toEqual(['embedding', 'logits']);
  });
});

describe('parameterGroups', () => {
  test('a stage is a residual block, or a layer where there are no branches', () => {
    const groups = new Map(parameterGroups(resnet.graph, resnet.parameters).map((group) => [group.name, group]));
    const stage = (name: string): number => groups.get(name)!.stage;
    expect(['conv1.weight', 'layer1.0.conv1.weight', 'layer1.0.conv2.weight'].map(stage)).toEqual([0, 1, 1]);
    expect(['layer2.0.conv2.weight', 'layer2.0.downsample.0.weight', 'layer3.0.conv1.weight'].map(stage)).toEqual([
      2, 2, 3,
    ]);
    expect(groups.get('conv1.weight')!.depth).toBe(0);
    expect(groups.get('layer2.0.conv1.weight')!.depth).toBe(0.5);
    expect(groups.get('fc.bias')).toEqual({ name: 'fc.bias', kind: 'bias', stage: 4, depth: 1 });
  });

  test('transformers: two stages a block, whatever else a block holds', () => {
    const { graph, parameters } = buildModel('vit_tiny_patch16_224', { classes: 2, inputSize: 32 });
    const groups = parameterGroups(graph, parameters);
    const stage = (name: string): number => groups.find((group) => group.name === name)!.stage;
    expect(stage('patch_embed.proj.weight')).toBe(0);
    expect(stage('blocks.0.attn.qkv.weight')).toBe(stage('blocks.0.attn.proj.weight'));
    expect(stage('blocks.5.mlp.fc2.weight') - stage('blocks.5.attn.qkv.weight')).toBe(1);
    expect(stage('blocks.5.attn.qkv.weight') - stage('blocks.4.attn.qkv.weight')).toBe(2);
    expect(stage('head.weight')).toBe(25);
  });

  test.each([
    [
      'vit_tiny_patch16_224',
      {
        cls_token: 'bias',
        pos_embed: 'bias',
        'norm.weight': 'norm',
        'blocks.0.mlp.fc1.weight': 'weight',
        'blocks.0.mlp.fc1.bias': 'bias',
      },
    ],
    [
      'convnext_atto',
      { 'stages.0.blocks.0.gamma': 'norm', 'stem.1.bias': 'norm', 'stem.0.bias': 'bias', 'stem.0.weight': 'weight' },
    ],
    ['resnet18', { 'bn1.weight': 'norm', 'bn1.bias': 'norm', 'fc.bias': 'bias', 'fc.weight': 'weight' }],
  ])('weight decay is for weights: %s', (name, kinds) => {
    const { graph, parameters } = buildModel(name, { classes: 2, inputSize: 32 });
    const groups = parameterGroups(graph, parameters);
    for (const [parameter, kind] of Object.entries(kinds))
      expect(groups.find((group) => group.name === parameter)!.kind, parameter).toBe(kind);
  });

  test('a parameter that nothing reads is an error', () => {
    const b = new GraphBuilder('g');
    b.output(b.op('Relu', [b.input('x', 'float32', ['N', 2])]), 'y');
    b.initializer('idle', zeros('float32', [2]));
    expect(() => parameterGroups(b.build(), ['idle'])).toThrow('No node reads the parameter "idle"');
  });

  const vit = new URL('../../../shared/models/zoo/vit_dynamo/model.onnx', import.meta.url);
  test.skipIf(!existsSync(vit))('sees the same stages in an exported transformer', async () => {
    const { graph } = await loadModel(vit.pathname);
    const groups = parameterGroups(graph, ['patch_embed.proj.weight', 'blocks.5.mlp.fc2.bias', 'head.weight']);
    // Six blocks of two stages between patches and head.
    expect(groups.map((group) => group.stage)).toEqual([0, 12, 13]);
  });
});
