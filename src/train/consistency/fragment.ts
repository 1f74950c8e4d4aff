import { float32, zeros, type Tensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';

/** Keeps divisions and logarithms of what may be 0 finite. */
const TINY = 1e-12;
/** State: samples seen, of which labelled ones count in consistency training. */
const SEEN = 'samples_seen';

export interface FragmentOptions {
  readonly builder: GraphBuilder;
  /** Labelled samples of this pass. */
  readonly samples: number;
  readonly halfLife: number;
  /** Values of states by name; one that is missing starts here. */
  readonly state: ReadonlyMap<string, string>;
}

/** Where the parts of consistency training emit their nodes, and what they remember from step to step. */
export class Fragment {
  readonly builder: GraphBuilder;
  /** State -> its next value. */
  readonly next = new Map<string, string>();
  /** State -> its first value. */
  readonly first = new Map<string, Tensor>();
  readonly #options: FragmentOptions;

  constructor(options: FragmentOptions) {
    this.builder = options.builder;
    this.#options = options;
  }

  op(opType: string, inputs: readonly (string | number)[], attributes: Record<string, number> = {}): string {
    const values = inputs.map((input) => (typeof input === 'number' ? this.builder.float(input) : input));
    return this.builder.op(opType, values, attributes);
  }

  /** Of the rows [M, K] over classes, [M] (or [M, 1]); without `axes` a scalar. */
  reduce(how: 'Sum' | 'Mean' | 'Max', value: string, axes?: readonly number[], keepdims = 0): string {
    const inputs = axes === undefined ? [value] : [value, this.builder.int(axes)];
    return this.builder.op(`Reduce${how}`, inputs, { keepdims });
  }

  /** 1 where a >= b, else 0; float32. */
  atLeast(a: string, b: string | number): string {
    return this.builder.op('Cast', [this.op('GreaterOrEqual', [a, b])], { to: 1 });
  }

  /** a / b, with b kept over 0. */
  divide(a: string | number, b: string): string {
    return this.op('Div', [a, this.op('Max', [b, TINY])]);
  }

  log(a: string): string {
    return this.op('Log', [this.op('Add', [a, TINY])]);
  }

  /** [M, K] or [K] over classes, made to sum to 1. */
  normalised(value: string): string {
    return this.divide(value, this.reduce('Sum', value, [-1], 1));
  }

  /** [M, K]: 1 at the largest of each row. */
  oneHot(rows: string): string {
    const b = this.builder;
    const largest = b.op('ArgMax', [rows], { axis: 1, keepdims: 0 });
    return b.op('OneHot', [largest, b.int(b.shape(rows)[1] as number), b.float([0, 1])], { axis: 1 });
  }

  /** The value that a state has in this pass. */
  recall(name: string, first: Tensor): string {
    this.first.set(name, first);
    return this.#options.state.get(name) ?? this.builder.initializer(this.builder.uniqueName(name), first);
  }

  /** [1]: labelled samples before this pass. */
  get seen(): string {
    const seen = this.recall(SEEN, zeros('float32', [1]));
    if (!this.next.has(SEEN)) this.next.set(SEEN, this.op('Add', [seen, this.#options.samples]));
    return seen;
  }

  /** What `rate` remembers, and its first value. */
  static statesOfRate(): Map<string, Tensor> {
    return new Map([[SEEN, zeros('float32', [1])]]);
  }

  /** [1]: what the value of this pass counts for in every moving average, 1 in the first. */
  get rate(): string {
    const { samples, halfLife } = this.#options;
    const share = 1 - 2 ** (-samples / halfLife);
    const seen = this.op('Add', [this.seen, samples]);
    const left = this.op('Exp', [this.op('Mul', [seen, -Math.LN2 / halfLife])]);
    return this.op('Div', [share, this.op('Sub', [1, left])]);
  }

  /**
   * The moving average of a value of rank 1, this pass included. Its weights sum to 1 from the first pass on: with
   * m + (v - m) (1 - d) / (1 - d^t) it is the average that Adam corrects afterwards (Kingma and Ba 2015, section 3).
   */
  average(name: string, value: string): string {
    const known = this.next.get(name);
    if (known !== undefined) return known;
    const old = this.recall(name, zeros('float32', this.builder.shape(value)));
    const moved = this.op('Add', [old, this.op('Mul', [this.op('Sub', [value, old]), this.rate])]);
    this.next.set(name, moved);
    return moved;
  }

  /** [K], a constant. */
  row(values: readonly number[]): string {
    return this.builder.constant(float32(values));
  }
}
