import { foldConstants, type FoldOptions } from './fold.ts';
import type { Dim, Graph, Shape, TensorType } from './graph.ts';

export interface SpecializeOptions extends FoldOptions {
  /** Full shapes of inputs by name. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  /** Values of named sides: `{ N: 8 }`. */
  readonly dims?: Readonly<Record<string, number>>;
}

/**
 * The graph for inputs of one size: shapes become numbers wherever they follow from the inputs', and
 * what was computed from them is folded (see `foldConstants`). A named side that an input's shape
 * settles is settled everywhere.
 * @throws RangeError for a name the graph does not have, and for a shape that does not fit the input's.
 * @example
 * const forEight = specialize(model.graph, { dims: { N: 8 } });
 */
export function specialize(graph: Graph, options: SpecializeOptions): Graph {
  const dims = settledDims(graph, options);
  const settle = (type: TensorType): TensorType => ({
    dtype: type.dtype,
    shape: type.shape?.map((side) => (typeof side === 'string' ? (dims.get(side) ?? side) : side)),
  });
  const inputs = graph.inputs.map(({ name, type }) => {
    const given = options.inputs?.[name];
    return { name, type: given === undefined ? settle(type) : { dtype: type.dtype, shape: [...given] } };
  });
  const outputs = graph.outputs.map(({ name, type }) => ({ name, type: settle(type) }));
  const types = new Map([...graph.types].map(([name, type]) => [name, settle(type)]));
  const { keep, maxElements } = options;
  return foldConstants(
    { ...graph, inputs, outputs, types },
    { ...(keep && { keep }), ...(maxElements && { maxElements }) },
  );
}

function settledDims(graph: Graph, options: SpecializeOptions): Map<string, number> {
  const dims = new Map<string, number>();
  const named = new Set(
    graph.inputs.flatMap(({ type }) => type.shape?.filter((side) => typeof side === 'string') ?? []),
  );
  for (const [name, value] of Object.entries(options.dims ?? {})) {
    if (!named.has(name)) throw new RangeError(`No input has a side "${name}"; there are ${list(named)}.`);
    settleSide(dims, name, value);
  }
  for (const [name, shape] of Object.entries(options.inputs ?? {})) {
    const input = graph.inputs.find((item) => item.name === name);
    if (input === undefined)
      throw new RangeError(
        `The graph has no input "${name}"; there are ${list(graph.inputs.map((item) => item.name))}.`,
      );
    settleShape(dims, name, input.type.shape, shape);
  }
  return dims;
}

function settleShape(
  dims: Map<string, number>,
  name: string,
  declared: Shape | undefined,
  given: readonly number[],
): void {
  if (declared === undefined) return;
  const fits = declared.length === given.length && declared.every((side, i) => fitsSide(side, given[i]!));
  if (!fits) throw new RangeError(`Input "${name}" has the shape [${declared}], got [${given}].`);
  for (const [i, side] of declared.entries()) if (typeof side === 'string') settleSide(dims, side, given[i]!);
}

function fitsSide(side: Dim, value: number): boolean {
  return typeof side === 'string' || side === value;
}

function settleSide(dims: Map<string, number>, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`Side "${name}" must be a whole number of at least 0, got ${value}.`);
  const known = dims.get(name) ?? value;
  if (known !== value) throw new RangeError(`Side "${name}" can not be both ${known} and ${value}.`);
  dims.set(name, value);
}

function list(names: Iterable<string>): string {
  return [...names].map((name) => `"${name}"`).join(', ') || 'none';
}
