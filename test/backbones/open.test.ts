import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/core/atomic-file.ts';
import { InputError, ModelError, RunError } from '../../src/core/errors.ts';
import { writeSafetensors } from '../../src/core/safetensors.ts';
import { fromNumbers, sizeOf, tensor, zeros } from '../../src/core/tensor.ts';
import { openBackbone, type BackboneFlags } from '../../src/backbones/open.ts';
import { parseBackboneSpec } from '../../src/backbones/spec.ts';
import { toMetadata } from '../../src/models/description.ts';
import { parsePreprocessing } from '../../src/models/preprocessing.ts';
import { buildModel } from '../../src/models/registry.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Shape } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { formulaWeights, noise } from '../models/formula-weights.ts';
import { runGraph } from '../models/run-graph.ts';
import { FileServer } from './file-server.ts';

let folder: string;
let server: FileServer;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gleaner-backbone-'));
  server = await FileServer.start();
  env = { GLEANER_CACHE: join(folder, 'cache'), HF_ENDPOINT: server.url };
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const FLAGS: BackboneFlags = { mean: [1, 2, 3], std: [4, 5, 6] };
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A classifier of 4 classes on the means of the channels. */
function classifier(input: Shape = ['N', 3, 16, 16], metadata: ReadonlyMap<string, string> = new Map()): Uint8Array {
  const b = new GraphBuilder('classifier');
  const x = b.input('pixels', 'float32', input);
  const axes = input[1] === 3 ? [2, 3] : [1, 2];
  const features = b.op('ReduceMean', [b.op('Relu', [x]), b.int(axes)], { keepdims: 0 }, { outputs: ['features'] });
  b.output(b.op('Gemm', [features, b.initializer('w', zeros('float32', [4, 3]))], { transB: 1 }), 'logits');
  return writeModel({ graph: b.build(), metadata });
}

async function saved(bytes: Uint8Array | string, name = 'net.onnx'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe('parseBackboneSpec', () => {
  test('tells files, URLs and hub paths apart', () => {
    expect(parseBackboneSpec('a/b.onnx')).toEqual({ kind: 'path', path: 'a/b.onnx' });
    expect(parseBackboneSpec('https://x.org/b.onnx')).toMatchObject({ kind: 'url' });
    expect(parseBackboneSpec('hf:timm/resnet18.a1_in1k')).toEqual({
      kind: 'hub',
      repo: 'timm/resnet18.a1_in1k',
      file: undefined,
      revision: 'main',
    });
    expect(parseBackboneSpec('hf:o/r/onnx/model.onnx@v2')).toEqual({
      kind: 'hub',
      repo: 'o/r',
      file: 'onnx/model.onnx',
      revision: 'v2',
    });
  });

  test.each(['hf:timm', 'hf:o/r/../x', 'hf:o/r@', 'http://', ''])('refuses "%s"', (text) => {
    expect(() => parseBackboneSpec(text)).toThrow(InputError);
  });
});

describe('a backbone that is made here', () => {
  test('needs no file, and has the side that is asked for', async () => {
    const backbone = await openBackbone('builtin:gradients');
    expect(backbone.preprocessing.inputSize).toEqual([28, 28]);
    expect(backbone.embedding.width).toBe(392);
    expect(backbone.description).toMatch(/builtin:gradients \(made here, without training\)/);
    expect((await openBackbone('builtin:gradients', { inputSize: 56 })).sha256).not.toBe(backbone.sha256);
  });

  test('is refused by another name, and with a side that it can not have', async () => {
    await expect(openBackbone('builtin:resnet18')).rejects.toThrow(/expected builtin:gradients.*--model/);
    await expect(openBackbone('builtin:gradients', { inputSize: 30 })).rejects.toThrow(/multiple of 7/);
  });
});

describe('a file', () => {
  test('with flags: features, preprocessing and its sources, checksum', async () => {
    const bytes = classifier();
    const backbone = await openBackbone(await saved(bytes), FLAGS);
    expect(backbone).toMatchObject({
      input: 'pixels',
      sha256: sha256(bytes),
      embedding: { value: 'features', width: 3, classifier: { classes: 4 } },
      preprocessing: { inputSize: [16, 16], mean: [1, 2, 3], std: [4, 5, 6], layout: 'nchw' },
    });
    expect(backbone.preprocessingSource).toContain("inputSize, layout: the model's input");
    expect(backbone.description).toMatch(/Features: 3, from "features", before a classifier of 4 classes/);
  });

  test('without a declared preprocessing names what is missing and its flags', async () => {
    const path = await saved(classifier(['N', 3, 'H', 'W']));
    await expect(openBackbone(path)).rejects.toThrow(
      /does not declare inputSize, mean, std.*--input-size, --mean, --std/,
    );
    await expect(openBackbone(path)).rejects.toThrow(InputError);
    const backbone = await openBackbone(path, { ...FLAGS, inputSize: 24 });
    expect(backbone.model.graph.inputs[0]!.type.shape).toEqual(['N', 3, 24, 24]);
  });

  test("takes Gleaner's own metadata first, flags over it", async () => {
    const preprocessing = parsePreprocessing(
      { inputSize: [16, 16], mean: [7, 7, 7], std: [8, 8, 8], channels: 'bgr' },
      'test',
    );
    const metadata = toMetadata({
      format: 1,
      variant: 'bare',
      classes: ['a', 'b', 'c', 'd'],
      temperature: 1,
      preprocessing,
      provenance: {},
    });
    const path = await saved(classifier(['N', 3, 16, 16], metadata));
    await saved(JSON.stringify({ pretrained_cfg: { input_size: [3, 16, 16], ...IMAGENET } }), 'config.json');
    const backbone = await openBackbone(path, { std: [9, 9, 9] });
    expect(backbone.preprocessing).toMatchObject({ mean: [7, 7, 7], std: [9, 9, 9], channels: 'bgr' });
    expect(backbone.classes).toEqual(['a', 'b', 'c', 'd']);
  });

  test('takes what lies beside it: preprocessor_config.json before config.json, and class names', async () => {
    const path = await saved(classifier());
    await saved(
      JSON.stringify({
        pretrained_cfg: { input_size: [3, 16, 16], crop_pct: 0.8, ...IMAGENET },
        id2label: { 0: 'cat', 1: 'dog', 2: 'cow', 3: 'hen' },
      }),
      'config.json',
    );
    expect((await openBackbone(path)).preprocessing).toMatchObject({
      mean: [123.675, 116.28, 103.53],
      cropFraction: 0.8,
    });
    await saved(JSON.stringify({ do_normalize: false }), 'preprocessor_config.json');
    const backbone = await openBackbone(path);
    expect(backbone.preprocessing).toMatchObject({ mean: [0, 0, 0], std: [255, 255, 255], cropFraction: 0.8 });
    expect(backbone.preprocessingSource).toContain('mean, std, channels: preprocessor_config.json');
    expect(backbone.classes).toEqual(['cat', 'dog', 'cow', 'hen']);
    await saved('{', 'config.json');
    await expect(openBackbone(path)).rejects.toThrow(/config.json is not valid JSON/);
  });

  test('a folder holds it', async () => {
    await saved(classifier(), 'model.onnx');
    await saved(classifier(), 'model_int8.onnx');
    expect((await openBackbone(folder, FLAGS)).source).toBe(join(folder, 'model.onnx'));
  });

  test('a batch fixed to 1 becomes any batch, unless it is fixed inside too', async () => {
    const backbone = await openBackbone(await saved(classifier([1, 3, 16, 16])), FLAGS);
    expect(backbone.model.graph.types.get('features')!.shape).toEqual(['N', 3]);
    const input = tensor('float32', [2, 3, 16, 16], Float32Array.from(noise('x', 1536)));
    expect((await runGraph(backbone.model.graph, input))['logits']!.dims).toEqual([2, 4]);
    const b = new GraphBuilder('fixed');
    const x = b.input('x', 'float32', [1, 3, 8, 8]);
    b.output(b.op('Reshape', [x, b.int([1, 192])]), 'features');
    const path = await saved(writeModel({ graph: b.build() }), 'fixed.onnx');
    await expect(openBackbone(path, FLAGS)).rejects.toThrow(/batch is fixed to 1.*dynamic batch/);
  });

  test('channels last is understood, and works', async () => {
    const backbone = await openBackbone(await saved(classifier(['N', 16, 16, 3])), FLAGS);
    expect(backbone.preprocessing.layout).toBe('nhwc');
    expect(backbone.model.graph.inputs[0]!.type.shape).toEqual(['N', 16, 16, 3]);
  });
});

const network = (
  inputs: readonly (readonly [string, 'float32' | 'float16' | 'uint8' | 'int64', Shape])[],
): Uint8Array => {
  const b = new GraphBuilder('network');
  const names = inputs.map(([name, dtype, shape]) => b.input(name, dtype, shape));
  for (const name of names) b.output(b.op('Identity', [name]), `${name}_features`);
  return writeModel({ graph: b.build() });
};

describe('found at load, not at image 40,000', () => {
  const image: Shape = ['N', 3, 16, 16];

  test.each<[string, () => Uint8Array | string, BackboneFlags, RegExp]>([
    [
      'a second input',
      () =>
        network([
          ['x', 'float32', image],
          ['mask', 'int64', ['N', 4]],
        ]),
      FLAGS,
      /it has 2: x float32 \[N,3,16,16\], mask int64 \[N,4\]/,
    ],
    ['half precision', () => network([['x', 'float16', image]]), FLAGS, /got x float16.*Export the float32 model/],
    ['a deployed model', () => network([['image', 'uint8', ['N', 'H', 'W', 3]]]), FLAGS, /got image uint8.*--bare/],
    ['a wrong rank', () => network([['x', 'float32', ['N', 768]]]), FLAGS, /got x float32 \[N,768\]/],
    ['grey images', () => network([['x', 'float32', ['N', 1, 28, 28]]]), FLAGS, /no axis has three channels/],
    [
      'another layout',
      () => classifier(),
      { ...FLAGS, layout: 'nhwc' },
      /laid out nchw, but the preprocessing says nhwc \(--layout\)/,
    ],
    [
      'another size',
      () => classifier(),
      { ...FLAGS, inputSize: 24 },
      /fixed to 16x16 pixels, but the preprocessing says 24x24 \(--input-size\)/,
    ],
    [
      'a wrong name of the features',
      () => classifier(),
      { ...FLAGS, embedding: 'feature' },
      /no value "feature" \(--embedding\) \(did you mean "features"\?\)/,
    ],
    ['an empty file', () => new Uint8Array(), FLAGS, /empty/],
    ['garbage', () => 'this is no model at all', FLAGS, /ONNX/],
  ])('%s', async (_, make, flags, message) => {
    const opened = openBackbone(await saved(make()), flags);
    await expect(opened).rejects.toThrow(ModelError);
    await expect(opened).rejects.toThrow(message);
  });

  test('a file that is not there', async () => {
    await expect(openBackbone(join(folder, 'none.onnx'), FLAGS)).rejects.toThrow(
      /none.onnx: can not be read \(no such file\)/,
    );
  });
});

describe('a URL', () => {
  test('is downloaded once, then read from the cache, also offline', async () => {
    const bytes = classifier();
    server.add('/nets/net.onnx', bytes);
    server.add('/nets/config.json', JSON.stringify({ pretrained_cfg: { input_size: [3, 16, 16], ...IMAGENET } }));
    const first = await openBackbone(`${server.url}/nets/net.onnx`, {}, { env });
    expect(first).toMatchObject({
      sha256: sha256(bytes),
      source: `${server.url}/nets/net.onnx`,
      preprocessing: { mean: [123.675, 116.28, 103.53] },
    });
    const count = server.requests.filter((request) => request.includes('net.onnx')).length;
    const offline = { ...env, GLEANER_OFFLINE: '1' };
    expect((await openBackbone(`${server.url}/nets/net.onnx`, {}, { env: offline })).sha256).toBe(sha256(bytes));
    expect(server.requests.filter((request) => request.includes('net.onnx'))).toHaveLength(count);
  });

  test('that is not there, or not in the cache offline, is one clear error', async () => {
    const url = `${server.url}/none.onnx`;
    await expect(openBackbone(url, FLAGS, { env })).rejects.toThrow(`There is no file at ${url}`);
    const offline = openBackbone(url, FLAGS, { env: { ...env, HF_HUB_OFFLINE: '1' } });
    await expect(offline).rejects.toThrow(/not in the cache, and downloads are turned off/);
    await expect(offline).rejects.toThrow(InputError);
  });
});

describe('the hub', () => {
  const golden = JSON.parse(readFileSync(new URL('../models/golden/logits.json', import.meta.url), 'utf8')) as Record<
    string,
    { inputSize: number; logits: number[][] }
  >;

  test("timm's safetensors give timm's logits in the built-in network, by way of an interrupted download", async () => {
    const name = 'mobilenetv3_small_050';
    const { inputSize, logits } = golden[name]!;
    const weights = formulaWeights(buildModel(name, { classes: 5 }).graph);
    weights.set('bn1.num_batches_tracked', fromNumbers('int64', [], [1]));
    server.addRepository('timm/mobilenetv3_small_050.lamb_in1k', {
      'README.md': 'a model',
      'config.json': JSON.stringify({
        architecture: name,
        num_classes: 5,
        pretrained_cfg: {
          input_size: [3, inputSize, inputSize],
          crop_pct: 0.875,
          interpolation: 'bicubic',
          ...IMAGENET,
        },
      }),
      'model.safetensors': writeSafetensors(weights),
      'pytorch_model.bin': 'pickle',
    });
    server.files.get('/timm/mobilenetv3_small_050.lamb_in1k/resolve/main/model.safetensors')!.breakAfter = [500_000];
    const backbone = await openBackbone('hf:timm/mobilenetv3_small_050.lamb_in1k', {}, { env });
    expect(backbone).toMatchObject({
      embedding: { width: 1024, classifier: { classes: 5 } },
      preprocessing: { inputSize: [64, 64], cropFraction: 0.875 },
    });
    expect(backbone.description).toContain('weights of the built-in mobilenetv3_small_050, by config.json');
    const shape = [2, 3, inputSize, inputSize];
    const outputs = await runGraph(
      backbone.model.graph,
      tensor('float32', shape, Float32Array.from(noise('input', sizeOf(shape)))),
    );
    const worst = Math.max(
      ...Array.from(outputs['logits']!.data as Float32Array, (x, i) => Math.abs(x - logits.flat()[i]!)),
    );
    expect(worst / Math.max(...logits.flat().map(Math.abs))).toBeLessThan(1e-4);
    expect(server.requests.some((request) => /model.safetensors bytes=500000-/.test(request))).toBe(true);
    // Nothing is asked for twice.
    server.requests.length = 0;
    await openBackbone('hf:timm/mobilenetv3_small_050.lamb_in1k', {}, { env: { ...env, HF_HUB_OFFLINE: '1' } });
    expect(server.requests).toEqual([]);
  });

  test('an ONNX file is chosen among several, or named; a revision is kept apart', async () => {
    const config = JSON.stringify({ do_normalize: false, do_resize: false });
    server.addRepository('o/r', {
      'onnx/model.onnx': classifier(),
      'onnx/model_quantized.onnx': 'x',
      'preprocessor_config.json': config,
    });
    expect((await openBackbone('hf:o/r', {}, { env })).source).toBe('hf:o/r/onnx/model.onnx');
    await expect(openBackbone('hf:o/r/onnx/modle.onnx', {}, { env })).rejects.toThrow(
      /has no file "onnx\/modle.onnx" \(did you mean "onnx\/model.onnx"\?\)/,
    );
    server.addRepository(
      'o/r',
      { 'other.onnx': classifier(['N', 3, 32, 32]), 'preprocessor_config.json': config },
      'v2',
    );
    expect((await openBackbone('hf:o/r@v2', {}, { env })).preprocessing.inputSize).toEqual([32, 32]);
    server.addRepository('o/many', { 'a.onnx': 'x', 'b.onnx': 'y' });
    await expect(openBackbone('hf:o/many', {}, { env })).rejects.toThrow(
      'has several ONNX files; name one: a.onnx, b.onnx',
    );
    server.addRepository('o/none', { 'README.md': 'x' });
    await expect(openBackbone('hf:o/none', {}, { env })).rejects.toThrow(
      'expected an .onnx file or model.safetensors, found README.md',
    );
  });

  test('a file that is not what the hub lists is refused', async () => {
    server.addRepository('o/bad', { 'model.onnx': classifier() });
    const file = server.files.get('/o/bad/resolve/main/model.onnx')!;
    file.content = file.content.map((byte, i) => (i === 50 ? byte ^ 1 : byte));
    await expect(openBackbone('hf:o/bad', FLAGS, { env })).rejects.toThrow(/damaged: expected the checksum/);
    await expect(openBackbone('hf:o/bad', FLAGS, { env })).rejects.toThrow(RunError);
  });

  test('no repository, no network, offline: one clear error each', async () => {
    await expect(openBackbone('hf:o/missing', {}, { env })).rejects.toThrow(
      /hf:o\/missing \(main\) can not be read: there is no such repository/,
    );
    await expect(openBackbone('hf:o/r', {}, { env: { ...env, HF_HUB_OFFLINE: 'true' } })).rejects.toThrow(
      /hf:o\/r is not in the cache, and downloads are turned off/,
    );
    const unreachable = openBackbone('hf:o/r', {}, { env: { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' } });
    await expect(unreachable).rejects.toThrow(InputError);
    await expect(unreachable).rejects.toThrow(/127.0.0.1:9 can not be reached/);
  });

  test('weights of an architecture that is not built in, or is not named, are refused', async () => {
    const weights = writeSafetensors([['fc.weight', zeros('float32', [2, 2])]]);
    server.addRepository('timm/swin', {
      'model.safetensors': weights,
      'config.json': JSON.stringify({ architecture: 'swin_tiny' }),
    });
    await expect(openBackbone('hf:timm/swin', FLAGS, { env })).rejects.toThrow(
      /weights of "swin_tiny", which is not built in.*Export it to ONNX/,
    );
    server.addRepository('o/w', { 'model.safetensors': weights });
    await expect(openBackbone('hf:o/w', FLAGS, { env })).rejects.toThrow(/nothing names their architecture/);
    const path = await saved(weights, 'resnet18.safetensors');
    await expect(openBackbone(path, FLAGS)).rejects.toThrow(ModelError);
  });
});

const shared = new URL('../../../shared/models/', import.meta.url);
describe.skipIf(!existsSync(shared))('the models of ../shared', () => {
  test.each([
    ['mobilenet_v2_1.0_224.onnx', 1280, 'x/128 - 1'],
    ['mobilenet_v1_0.5_160.onnx', 512, 'x/128 - 1'],
    ['efficientnet_lite0_224.onnx', 1280, '(x - 127) / 128'],
    ['cifar10_resnet20.onnx', 64, 'CIFAR-10'],
  ])('%s is of a known family', async (file, width, family) => {
    const backbone = await openBackbone(new URL(file, shared).pathname);
    expect(backbone.embedding.width).toBe(width);
    expect(backbone.preprocessingSource).toContain(family);
    // What was computed from shapes is folded.
    const shaping = new Set(['ConstantOfShape', 'Concat', 'Shape', 'Gather']);
    expect(backbone.model.graph.nodes.map((node) => node.opType).filter((op) => shaping.has(op))).toEqual([]);
  });
});
