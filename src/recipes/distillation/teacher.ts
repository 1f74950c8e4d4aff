import { readFile } from 'node:fs/promises';
import { openBackbone, type BackboneFlags } from '../../backbones/open.ts';
import { InputError, ModelError } from '../../core/errors.ts';
import { mapsBefore } from '../../models/class-activation.ts';
import { withEmbedding } from '../../models/head.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import { producers, type Graph } from '../../onnx/graph.ts';
import type { TrainControl } from '../train-control.ts';

/** A classifier that answers and is never trained. */
export interface Teacher {
  /** One float32 input, the outputs of `values`. */
  readonly graph: Graph;
  /** Names of its logits [N, K], its embedding [N, D] and, of a network that ends in the mean of maps, these [N, C, h, w]. */
  readonly values: { readonly logits: string; readonly embedding: string; readonly maps?: string };
  readonly preprocessing: Preprocessing;
  /** K names, in the order of the logits. */
  readonly classes: readonly string[];
  /** D. */
  readonly width: number;
  /** [C, h, w], where there are any. */
  readonly maps?: readonly number[];
  readonly source: string;
  /** Of the file, in hex. */
  readonly sha256: string;
}

export interface OpenTeacherOptions {
  /** Of a teacher that doesn't declare how it wants its images. */
  readonly flags?: BackboneFlags;
  /** File with the names of its classes, one a line, in the order of its outputs. */
  readonly classesFile?: string | undefined;
}

/**
 * Opens a teacher: a model that Gleaner made, or any backbone (file, URL, hub) with its own classifier.
 * @throws InputError, ModelError where it is no classifier, its classes have no names, or as `openBackbone`
 */
export async function openTeacher(
  spec: string,
  { flags = {}, classesFile }: OpenTeacherOptions,
  { signal, onProgress }: TrainControl,
): Promise<Teacher> {
  const control = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const { model, embedding, preprocessing, description, source, sha256, ...known } = await openBackbone(
    spec,
    flags,
    control,
  );
  const { classifier } = embedding;
  if (classifier === undefined)
    throw new ModelError(
      `The teacher ${source} is no classifier: behind its features ("${embedding.value}") stands no linear layer. Name the value with its logits by --teacher-logits.`,
    );
  const names = classesFile === undefined ? known.classes : await readNames(classesFile);
  if (names === undefined)
    throw new InputError(
      `The ${classifier.classes} classes of the teacher ${source} have no names: give a file with one a line, in the order of its outputs, by --teacher-classes.`,
    );
  if (names.length !== classifier.classes)
    throw new InputError(
      `The teacher ${source} has ${classifier.classes} classes, ${classesFile ?? 'its metadata'} has ${names.length} names.`,
    );
  const classes = told(names);
  const logits = beforeSoftmax(model.graph, classifier.output, source);
  const maps = mapsBefore(embedding.value, model.graph);
  const { builder, value } = withEmbedding(model.graph, embedding, [logits, ...(maps === undefined ? [] : [maps])]);
  const values = {
    logits: builder.op('Reshape', [logits, builder.int([0, classes.length])], {}, { name: 'teacher_logits' }),
    embedding: value,
    ...(maps !== undefined && { maps }),
  };
  for (const name of new Set(Object.values(values))) builder.output(name);
  onProgress?.({ type: 'note', message: description.replace(/^Backbone:/, 'Teacher:') });
  const shape = maps === undefined ? undefined : builder.type(maps).shape?.slice(1);
  return {
    graph: builder.build(),
    values,
    preprocessing,
    classes,
    width: embedding.width,
    ...(shape?.every((side) => typeof side === 'number') && { maps: shape as number[] }),
    source,
    sha256,
  };
}

/** Names of classes, one a line; empty lines at the end don't count. @throws InputError */
async function readNames(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new InputError(`Can't read the names of classes ${path}: ${(error as Error).message}.`, { cause: error });
  });
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.trim());
}

/** Of classes with one name (ImageNet has two cranes), all but the first with a number. */
function told(names: readonly string[]): string[] {
  const taken = new Set(names);
  return names.map((name, i) => {
    if (names.indexOf(name) === i) return name;
    let number = 2;
    while (taken.has(`${name} (${number})`)) number++;
    taken.add(`${name} (${number})`);
    return `${name} (${number})`;
  });
}

/** The logits behind an output that may be probabilities, which say the same but for a constant. @throws ModelError for independent ones */
function beforeSoftmax(graph: Graph, output: string, source: string): string {
  const makers = producers(graph);
  for (let value = output; ;) {
    const node = makers.get(value);
    if (node?.opType === 'Sigmoid')
      throw new ModelError(
        `The teacher ${source} ends in a sigmoid: its classes do not exclude each other, so it says no distribution over them. Name a value before it by --teacher-logits if they do.`,
      );
    if (node?.opType === 'Softmax') return node.inputs[0]!;
    if (node === undefined || !['Reshape', 'Flatten', 'Squeeze', 'Identity', 'Cast'].includes(node.opType))
      return output;
    value = node.inputs[0]!;
  }
}
