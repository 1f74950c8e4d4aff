import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { chooseModelFile } from '../../src/backbones/hub.ts';
import { openBackbone, type Backbone } from '../../src/backbones/open.ts';
import { tensor } from '../../src/core/tensor.ts';
import { featureExtractor } from '../../src/models/head.ts';
import { runGraph } from '../models/run-graph.ts';

const golden = (name: string): string => fileURLToPath(new URL(`golden/${name}`, import.meta.url));
/** By PyTorch; see make-transformers.py. */
const expected = JSON.parse(readFileSync(golden('transformers.json'), 'utf8')) as Record<string, number[][]>;

/** [2, 3, side, side] as the script has it. */
const image = (side: number): Float32Array => Float32Array.from({ length: 2 * 3 * side * side }, (_, i) => Math.sin(i));

async function features({ model, embedding, preprocessing }: Backbone): Promise<number[]> {
  const [side] = preprocessing.inputSize;
  const extractor = featureExtractor(model.graph, embedding);
  const outputs = await runGraph(extractor.graph, tensor('float32', [2, 3, side, side], image(side)));
  return [...(outputs[extractor.embedding]!.data as Float32Array)];
}

function expectNear(got: readonly number[], wanted: readonly number[][]): void {
  expect(got.length).toBe(wanted.flat().length);
  for (const [i, value] of wanted.flat().entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-4);
}

describe('networks as transformers exports them, in a folder as the hub has it', () => {
  test("CLIP's image side: its file among others, its embedding behind the projection, its processor", async () => {
    const backbone = await openBackbone(golden('clip'));
    expect(backbone.embedding).toMatchObject({ value: 'image_embeds', pooling: 'none', width: 12 });
    expect(backbone.preprocessing.mean[0]).toBeCloseTo(0.48145466 * 255, 4);
    expectNear(await features(backbone), expected['image_embeds']!);
  });

  test("DINOv2: its class token, at another side than the file's own", async () => {
    const backbone = await openBackbone(golden('dinov2'));
    expect(backbone.embedding).toMatchObject({ value: 'last_hidden_state', pooling: 'first-token', width: 16 });
    expect(backbone.preprocessing).toMatchObject({ inputSize: [56, 56], cropFraction: 56 / 64 });
    expect(backbone.description).toContain('(its first token)');
    expectNear(await features(backbone), expected['class_token']!);
  });

  test('a file that is called "onnx" is no folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gleaner-onnx-'));
    try {
      await cp(golden('clip/onnx/vision_model.onnx'), join(folder, 'model.onnx'));
      await cp(golden('clip/preprocessor_config.json'), join(folder, 'preprocessor_config.json'));
      await writeFile(join(folder, 'onnx'), '');
      expect((await openBackbone(folder)).embedding.width).toBe(12);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a file in a folder "onnx" has its configuration beside that folder', async () => {
    const { preprocessing } = await openBackbone(golden('clip/onnx/vision_model.onnx'));
    expect(preprocessing.inputSize).toEqual([32, 32]);
  });
});

test('of a network with a text side the image side is chosen, in full precision', () => {
  const files = [
    'config.json',
    ...['model', 'text_model', 'vision_model', 'vision_model_fp16'].map((name) => `onnx/${name}.onnx`),
  ];
  expect(chooseModelFile(files, 'here')).toBe('onnx/vision_model.onnx');
  expect(chooseModelFile(['onnx/model.onnx', 'onnx/model_int8.onnx'], 'here')).toBe('onnx/model.onnx');
});
