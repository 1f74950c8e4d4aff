import { pruned, type Graph } from '../../onnx/graph.ts';
import { withoutIdleRearrangements } from './collapse-rearrangements.ts';
import { withoutCommonSubexpressions } from './common-subexpressions.ts';

/** The passes that make a graph smaller and change nothing else. */
export function simplified(graph: Graph): Graph {
  return pruned(withoutCommonSubexpressions(withoutIdleRearrangements(graph)));
}
