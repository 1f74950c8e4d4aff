import { create, toBinary } from '@bufbuild/protobuf';
import { encodeGraph, requireFits } from './encode-graph.ts';
import { ONNX_DOMAIN, type Graph } from './graph.ts';
import { lowestOpset, OLDEST_WRITTEN_OPSET } from './opset-choice.ts';
import { ModelProtoSchema } from './proto/onnx_pb.ts';

export interface WritableModel {
  readonly graph: Graph;
  /** Free text by key, in the file's `metadata_props`. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly producer?: string;
  readonly docString?: string;
  /** An opset that the file must not be below; default 13. */
  readonly minimumOpset?: number;
}

/**
 * The model as one ONNX file. It declares the lowest opset, from 13 on, in which every operator means
 * what it means here, so that the oldest engines can read it. The same model gives the same bytes.
 * @throws ModelError for abstract operators, and for weights over 2 GB.
 * @example
 * await writeFile('classifier.onnx', writeModel({ graph }));
 */
export function writeModel(model: WritableModel): Uint8Array {
  const { graph } = model;
  requireFits(graph);
  const opset = lowestOpset(graph, model.minimumOpset ?? OLDEST_WRITTEN_OPSET);
  const foreign = [...domainsOf(graph)].filter((domain) => domain !== ONNX_DOMAIN).toSorted();
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion(opset)),
    producerName: model.producer ?? 'gleaner',
    docString: model.docString ?? '',
    opsetImport: [
      { domain: ONNX_DOMAIN, version: BigInt(opset) },
      ...foreign.map((domain) => ({ domain, version: 1n })),
    ],
    graph: encodeGraph(graph, opset),
    metadataProps: [...(model.metadata ?? [])].map(([key, value]) => ({ key, value })),
  });
  return toBinary(ModelProtoSchema, proto);
}

function domainsOf(graph: Graph): Set<string> {
  const domains = new Set<string>();
  for (const node of graph.nodes) {
    domains.add(node.domain);
    for (const value of Object.values(node.attributes))
      if (value.kind === 'graph') for (const domain of domainsOf(value.value)) domains.add(domain);
  }
  return domains;
}

/** The version of the file format that came with an opset (ONNX's Versioning.md). */
function irVersion(opset: number): number {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  if (opset <= 22) return 10;
  if (opset <= 23) return 11;
  return opset <= 24 ? 12 : 13;
}
