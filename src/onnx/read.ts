import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelError } from '../core/errors.ts';
import { decodeFunction, decodeGraph } from './decode-graph.ts';
import { inlineFunctions } from './functions.ts';
import type { Model } from './graph.ts';
import { liftGraph } from './lift.ts';
import { ModelProtoSchema, type ModelProto, type OperatorSetIdProto } from './proto/onnx_pb.ts';
import { requireSupportedOpset } from './supported-ops.ts';
import { inferTypes } from './type-inference.ts';
import { untied } from './untie.ts';
import { renumberUnknowns } from './unknown-dims.ts';

export interface ReadOptions {
  /** Where external data may lie; without it a model that has external data is refused. */
  readonly folder?: string;
  /** What errors call the model, a path as a rule. */
  readonly source?: string;
}

/**
 * Reads an ONNX model of opset 11 to 26: external data loaded, Constant nodes made initializers, local
 * functions inlined, what was written once for being equal made one tensor each, every node brought to `INTERNAL_OPSET` and every type inferred. Values keep their
 * names. Tensors may share memory with `bytes`, which must not change afterwards.
 * @throws ModelError that names the source, and says what is wrong and what to do.
 * @example
 * const model = readModel(await readFile('classifier.onnx'), { source: 'classifier.onnx' });
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  const source = options.source ?? 'The model';
  try {
    return modelOf(decode(bytes), options.folder);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ModelError(`${source}: ${error.message}`, { cause: error });
  }
}

/** Reads a model and the external data beside it. @throws ModelError as `readModel`, and where the file can't be read. */
export async function loadModel(path: string): Promise<Model> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : (error as Error).message;
    throw new ModelError(`${path}: can not be read (${reason}).`, { cause: error });
  }
  return readModel(bytes, { folder: dirname(path), source: path });
}

function decode(bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw new ModelError('the file is empty. An ONNX model was expected.');
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new ModelError(`${kindOf(bytes)} An ONNX model was expected (${(error as Error).message}).`, {
      cause: error,
    });
  }
  if (proto.graph === undefined || proto.irVersion === 0n)
    throw new ModelError(`${kindOf(bytes)} An ONNX model was expected.`);
  return proto;
}

/** What the bytes are where they are no ONNX model: the files that are most often taken for one. */
function kindOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (head.startsWith('PK')) return 'it is a ZIP archive (a PyTorch checkpoint, perhaps), not an ONNX model.';
  if (head.startsWith('version https://git-lfs'))
    return 'it is a Git LFS pointer: fetch the file itself (git lfs pull).';
  if (head.startsWith('\x89HDF')) return 'it is an HDF5 file (a Keras model, perhaps), not an ONNX model.';
  if (/^\s*(<!doctype|<html)/i.test(head)) return 'it is a web page: the download brought no model.';
  if (head.slice(4, 8) === 'TFL3') return 'it is a TensorFlow Lite model, not an ONNX model.';
  if (head.slice(4, 8) === 'ORTM') return 'it is in the ORT format, not an ONNX model.';
  if (head.slice(8, 9) === '{') return 'it is a safetensors file, not an ONNX model.';
  return 'it is not an ONNX model, or it is cut short.';
}

function modelOf(proto: ModelProto, folder: string | undefined): Model {
  const opset = onnxOpset(proto.opsetImport) ?? 1;
  requireSupportedOpset(opset);
  const functions = proto.functions.map((item) => {
    const own = onnxOpset(item.opsetImport) ?? opset;
    requireSupportedOpset(own);
    return decodeFunction(item, { folder, opset: own });
  });
  const raw = inlineFunctions(decodeGraph(proto.graph!, { folder, opset }), functions);
  return {
    graph: untied(renumberUnknowns(inferTypes(liftGraph(raw)))),
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    producer: [proto.producerName, proto.producerVersion].filter((part) => part !== '').join(' '),
    sourceOpset: opset,
  };
}

function onnxOpset(imports: readonly OperatorSetIdProto[]): number | undefined {
  const found = imports.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return found === undefined ? undefined : Number(found.version);
}
