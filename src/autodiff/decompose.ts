import type { Graph } from '../onnx/graph.ts';
import { dependence } from './dependence.ts';
import { differentiation } from './rules/table.ts';
import { Splicer } from './splice.ts';

/**
 * Replaces every op on the way from `wrt` to `loss` that is differentiated as simpler ones
 * (attention, group normalisation, ...) by those. Values keep their names.
 */
export function decompose(graph: Graph, loss: string, wrt: readonly string[]): Graph {
  let result = graph;
  for (;;) {
    const splicer = new Splicer(result);
    let changed = false;
    for (const node of dependence(result, loss, wrt).nodes) {
      const how = differentiation(node);
      if (how.kind !== 'decomposed') continue;
      splicer.replace(node, how.decompose);
      changed = true;
    }
    if (!changed) return result;
    result = splicer.finish();
  }
}
