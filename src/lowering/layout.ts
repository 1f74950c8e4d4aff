import { allocate, tensor, type Tensor } from '../core/tensor.ts';

/**
 * Memory layouts with channels in blocks of B, as ONNX Runtime's `com.microsoft.nchwc` ops want them.
 * A layout splits some axes of a 4-D tensor into (outer, inner of B), padded with zeros to a multiple
 * of B, and puts the parts in another order:
 *
 * | layout | parts, outermost first | for |
 * |---|---|---|
 * | channels | N, C/B, H, W, B | activations |
 * | dense | O/B, I/B, kH, kW, B of I, B of O | weights of dense and grouped convolutions |
 * | outputs | O/B, I, kH, kW, B of O | weights of depthwise convolutions, and of those on a few plain channels |
 *
 * The engine stores such a tensor under its padded plain shape ([N, Cp, H, W]): the *stored shape*. A
 * free Reshape to the *view shape* (one side a part) makes every other op applicable.
 */
export type LayoutName = 'channels' | 'dense' | 'outputs';

interface Part {
  readonly axis: number;
  readonly role: 'whole' | 'outer' | 'inner';
}

const whole = (axis: number): Part => ({ axis, role: 'whole' });
const outer = (axis: number): Part => ({ axis, role: 'outer' });
const inner = (axis: number): Part => ({ axis, role: 'inner' });

const PARTS: Readonly<Record<LayoutName, readonly Part[]>> = {
  channels: [whole(0), outer(1), whole(2), whole(3), inner(1)],
  dense: [outer(0), outer(1), whole(2), whole(3), inner(1), inner(0)],
  outputs: [outer(0), whole(1), whole(2), whole(3), inner(0)],
};

/** The smallest multiple of `block` that holds `side`. */
export const padded = (side: number, block: number): number => Math.ceil(side / block) * block;

/** A layout with its block size. */
export class Layout {
  readonly name: LayoutName;
  readonly block: number;

  constructor(name: LayoutName, block: number) {
    this.name = name;
    this.block = block;
  }

  get parts(): readonly Part[] {
    return PARTS[this.name];
  }

  isSplit(axis: number): boolean {
    return this.parts.some((part) => part.axis === axis && part.role === 'inner');
  }

  /**
   * [N, Cp, H, W] and the like. Where `shape` is that of an operand to be broadcast against `full`, its
   * sides of 1 stay 1.
   */
  storedShape(shape: readonly number[], full: readonly number[] = shape): number[] {
    return shape.map((side, axis) =>
      this.isSplit(axis) && !isBroadcast(side, full[axis]!) ? padded(side, this.block) : side,
    );
  }

  /** One side a part. */
  viewShape(shape: readonly number[], full: readonly number[] = shape): number[] {
    return this.parts.map(({ axis, role }) => {
      const side = shape[axis]!;
      if (role === 'whole') return side;
      if (isBroadcast(side, full[axis]!)) return 1;
      return role === 'outer' ? padded(side, this.block) / this.block : this.block;
    });
  }

  /** [N, C/B, B, H, W] and the like: the view's parts in the order of the plain tensor's axes. */
  splitShape(shape: readonly number[], full: readonly number[] = shape): number[] {
    const view = this.viewShape(shape, full);
    return this.splitOrder().map((part) => view[part]!);
  }

  /** Which part of the view each side of the split shape is. */
  splitOrder(): number[] {
    const places = this.parts.map((_, i) => i);
    const rank = (i: number): number => this.parts[i]!.axis * 2 + (this.parts[i]!.role === 'inner' ? 1 : 0);
    return places.toSorted((a, b) => rank(a) - rank(b));
  }

  /** The permutation that takes the split shape to the view. */
  packPermutation(): number[] {
    return inverse(this.splitOrder());
  }

  /** True where padding adds nothing. */
  isExact(shape: readonly number[]): boolean {
    return shape.every((side, axis) => !this.isSplit(axis) || side % this.block === 0);
  }

  /** A plain tensor in this layout, under its stored shape. */
  pack(value: Tensor): Tensor {
    const stored = this.storedShape(value.shape);
    const data = allocate(
      value.dtype,
      stored.reduce((a, b) => a * b, 1),
    ) as Float32Array;
    const source = value.data as Float32Array;
    const places = this.#places(value.shape);
    for (let plain = 0; plain < places.length; plain++) data[places[plain]!] = source[plain]!;
    return tensor(value.dtype, stored, data);
  }

  /** The plain tensor of `shape` that `pack` made `value` of. */
  unpack(value: Tensor, shape: readonly number[]): Tensor {
    const data = allocate(
      value.dtype,
      shape.reduce((a, b) => a * b, 1),
    ) as Float32Array;
    const source = value.data as Float32Array;
    const places = this.#places(shape);
    for (let plain = 0; plain < places.length; plain++) data[plain] = source[places[plain]!]!;
    return tensor(value.dtype, shape, data);
  }

  /** Where each element of a plain tensor lies in this layout. */
  #places(shape: readonly number[]): Uint32Array {
    const view = this.viewShape(shape);
    const strides = view.map((_, i) => view.slice(i + 1).reduce((a, b) => a * b, 1));
    const contributions = shape.map((side, axis) =>
      Array.from({ length: side }, (_, index) => {
        let offset = 0;
        for (const [i, part] of this.parts.entries()) {
          if (part.axis !== axis) continue;
          const digit =
            part.role === 'whole' ? index : part.role === 'outer' ? Math.floor(index / this.block) : index % this.block;
          offset += digit * strides[i]!;
        }
        return offset;
      }),
    );
    const [first, second, third, fourth] = contributions as [number[], number[], number[], number[]];
    const places = new Uint32Array(shape.reduce((product, side) => product * side, 1));
    let plain = 0;
    for (const a of first)
      for (const b of second)
        for (const c of third) {
          const row = a + b + c;
          for (let i = 0; i < fourth.length; i++) places[plain++] = row + fourth[i]!;
        }
    return places;
  }
}

const isBroadcast = (side: number, full: number): boolean => side === 1 && full !== 1;

function inverse(permutation: readonly number[]): number[] {
  const result = permutation.map(() => 0);
  for (const [i, place] of permutation.entries()) result[place] = i;
  return result;
}
