import { tensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { Emitter, product } from './emitter.ts';
import { Layout, type LayoutName } from './layout.ts';

/** A value of the source graph as it lies in the lowered one. */
export interface Form {
  /** Name in the lowered graph. */
  readonly name: string;
  readonly layout: 'plain' | LayoutName;
  /** True where the channels that padding added hold zeros. Always true of `plain`. */
  readonly clean: boolean;
}

/**
 * Every value of the source graph in all the layouts it was made in so far. Asking for another one
 * adds the conversion, once.
 */
export class Forms {
  readonly #builder: GraphBuilder;
  readonly #block: number;
  readonly #forms = new Map<string, Form[]>();
  readonly #shapes = new Map<string, readonly number[]>();

  constructor(builder: GraphBuilder, block: number) {
    this.#builder = builder;
    this.#block = block;
  }

  layout(name: LayoutName): Layout {
    return new Layout(name, this.#block);
  }

  declare(value: string, shape: readonly number[], form: Form): void {
    this.#shapes.set(value, shape);
    const layout = form.layout === 'plain' ? undefined : this.layout(form.layout);
    const exact = form.clean || layout === undefined || layout.isExact(shape);
    this.#forms.set(value, [...(this.#forms.get(value) ?? []), { ...form, clean: exact }]);
  }

  knows(value: string): boolean {
    return this.#forms.has(value);
  }

  shape(value: string): readonly number[] {
    return this.#shapes.get(value)!;
  }

  /** The first layout that is not plain in which `value` was made. */
  blockedLayout(value: string): LayoutName | undefined {
    const name = this.#forms.get(value)?.find((form) => form.layout !== 'plain')?.layout;
    return name === undefined || name === 'plain' ? undefined : name;
  }

  has(value: string, layout: 'plain' | LayoutName): boolean {
    return this.#forms.get(value)?.some((form) => form.layout === layout) ?? false;
  }

  isClean(value: string, layout: LayoutName): boolean {
    const form = this.#forms.get(value)!.find((candidate) => candidate.layout === layout);
    return form === undefined || form.clean;
  }

  /** The name of `value` in `layout`; with `clean`, with zeros where channels were padded. */
  get(value: string, layout: 'plain' | LayoutName, clean = false): string {
    const forms = this.#forms.get(value);
    if (forms === undefined) throw new RangeError(`Nothing makes "${value}" before it is read.`);
    const found = forms.find((form) => form.layout === layout && (form.clean || !clean));
    if (found !== undefined) return found.name;
    const shape = this.shape(value);
    const e = new Emitter(this.#builder, value);
    const dirty = forms.find((form) => form.layout === layout);
    if (dirty !== undefined && layout !== 'plain') {
      const name = this.#masked(e, dirty.name, shape, this.layout(layout));
      forms.unshift({ name, layout, clean: true });
      return name;
    }
    const plain = forms.find((form) => form.layout === 'plain');
    let name: string;
    if (plain === undefined) {
      const source = forms[0]!;
      name = toPlain(e, source.name, shape, this.layout(source.layout as LayoutName));
      this.declare(value, shape, { name, layout: 'plain', clean: true });
      return layout === 'plain' ? name : this.get(value, layout);
    }
    name = toLayout(e, plain.name, shape, this.layout(layout as LayoutName));
    this.declare(value, shape, { name, layout, clean: true });
    return name;
  }

  #masked(e: Emitter, name: string, shape: readonly number[], layout: Layout): string {
    // Ones at true channels: an operand with that axis alone, packed, has zeros at the padded ones.
    const full = shape.map((side, axis) => (layout.isSplit(axis) ? side : 1));
    const ones = layout.pack(tensor('float32', full, new Float32Array(product(full)).fill(1)));
    const mask = e.constant(tensor('float32', layout.viewShape(full), ones.data));
    return e.reshape(e.mul(e.reshape(name, layout.viewShape(shape)), mask), layout.storedShape(shape));
  }
}

/** Emits the conversion of a plain 4-D tensor of `shape`. */
export function toLayout(e: Emitter, name: string, shape: readonly number[], layout: Layout): string {
  const constant = e.builder.constantValue(name);
  if (constant !== undefined && constant.dtype === 'float32') return e.constant(layout.pack(constant));
  if (layout.name === 'channels' && product(shape.slice(2)) > 1) {
    // The engine's reorder would pad by itself, but takes multiples of 4 channels only.
    const whole = padTo(e, name, shape, layout.storedShape(shape));
    return e.nchwc('ReorderInput', [whole]);
  }
  return pack(e, name, shape, shape, layout);
}

/** Emits the conversion back to a plain tensor of `shape`. */
export function toPlain(e: Emitter, name: string, shape: readonly number[], layout: Layout): string {
  if (layout.name === 'channels' && product(shape.slice(2)) > 1)
    return e.nchwc('ReorderOutput', [name], { channels: shape[1]! });
  const stored = layout.storedShape(shape);
  const turned = e.reshape(e.rearrange(name, layout.viewShape(shape), layout.splitOrder()), stored);
  if (layout.isExact(shape)) return turned;
  const axes = shape.map((_, axis) => axis).filter((axis) => stored[axis] !== shape[axis]);
  return e.slice(
    turned,
    axes.map(() => 0),
    axes.map((axis) => shape[axis]!),
    axes,
  );
}

/**
 * A plain operand of `shape` (padded to rank 4 by ones) in the view of `full`'s layout, ready to be
 * broadcast against it.
 */
export function toView(
  e: Emitter,
  name: string,
  shape: readonly number[],
  full: readonly number[],
  layout: Layout,
): string {
  return e.reshape(pack(e, name, shape, full, layout), layout.viewShape(shape, full));
}

function pack(e: Emitter, name: string, shape: readonly number[], full: readonly number[], layout: Layout): string {
  const stored = layout.storedShape(shape, full);
  const grown = padTo(e, e.reshape(name, shape), shape, stored);
  return e.reshape(e.rearrange(grown, layout.splitShape(shape, full), layout.packPermutation()), stored);
}

function padTo(e: Emitter, name: string, shape: readonly number[], stored: readonly number[]): string {
  return e.pad(
    name,
    shape.map(() => 0),
    stored.map((side, axis) => side - shape[axis]!),
  );
}
