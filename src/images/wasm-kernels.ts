import { readFileSync } from 'node:fs';
import { builtFile } from '../core/built-file.ts';
import { copyBox, isWhole, type Kernels } from './kernels.ts';
import type { Pixels, Size } from './pixels.ts';
import type { Filter } from './resample.ts';
import { Slots } from './slots.ts';
import { WebAssembly, type WasmMemory } from './web-assembly.ts';

/** What assembly/index.ts exports. Addresses are bytes. */
interface Exports {
  bilinearRow(
    source: number,
    stride: number,
    out: number,
    start: number,
    end: number,
    ...line: [x: number, dx: number, y: number, dy: number]
  ): void;
  projectiveRow(
    source: number,
    stride: number,
    out: number,
    start: number,
    end: number,
    ...line: [x: number, dx: number, y: number, dy: number, w: number, dw: number]
  ): void;
  resampleRows(
    source: number,
    stride: number,
    height: number,
    out: number,
    outWidth: number,
    first: number,
    weights: number,
    taps: number,
    shift: number,
  ): void;
  resampleColumns(
    source: number,
    stride: number,
    out: number,
    outHeight: number,
    first: number,
    weights: number,
    taps: number,
    shift: number,
  ): void;
  lookUp(image: number, count: number, table: number): void;
  colourMatrix(image: number, count: number, matrix: number): void;
  turnHue(image: number, count: number, turn: number): void;
  sumChannels(image: number, count: number, sums: number): void;
  histograms(image: number, count: number, out: number): void;
  sharpen(source: number, width: number, height: number, factor: number, out: number): void;
  blend(images: number, weights: number, count: number, bytes: number, out: number): void;
  normalise(image: number, width: number, height: number, mirrored: boolean, means: number, out: number): void;
}

const PAGE = 65_536;
/** Loops read and write this much behind an image at most. */
const BEHIND = 64;
/** Bytes. */
const STRIP = 24_576;

/** With SIMD, in WebAssembly. @returns undefined where there is none, or the kernels were not built */
export function wasmKernels(): Kernels | undefined {
  let code: Buffer;
  try {
    code = readFileSync(builtFile('./kernels.wasm', import.meta.url));
  } catch {
    return undefined;
  }
  return WebAssembly.validate(code) ? new WasmKernels(new WebAssembly.Module(code)) : undefined;
}

/** A stretch of memory; where it has to grow it moves to the end, so that the others stay where they are. */
interface Region {
  address: number;
  bytes: number;
}

/** An image in the memory. Its bytes move in JavaScript's eyes whenever the memory grows: looked up each time. */
class Resident implements Pixels {
  readonly width: number;
  readonly height: number;
  readonly slot: number;
  readonly address: number;
  readonly #memory: WasmMemory;

  constructor({ width, height }: Size, slot: number, address: number, memory: WasmMemory) {
    this.width = width;
    this.height = height;
    this.slot = slot;
    this.address = address;
    this.#memory = memory;
  }

  get data(): Uint8Array {
    return new Uint8Array(this.#memory.buffer, this.address, this.width * this.height * 3);
  }
}

class WasmKernels implements Kernels {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #run: Exports;
  readonly #slots = new Slots();
  readonly #regions: Region[] = [];
  /** Tables, weights, sums. */
  readonly #numbers: Region = { address: 0, bytes: 0 };
  readonly #planes: Region = { address: 0, bytes: 0 };
  #used = 0;

  constructor(module: object) {
    this.#run = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Exports;
  }

  readonly buffer: Kernels['buffer'] = (size, ...kept) => {
    const slot = this.#slots.free(kept.map(slotOf));
    const region = (this.#regions[slot] ??= { address: 0, bytes: 0 });
    return new Resident(size, slot, this.#reserve(region, size.width * size.height * 3), this.#memory);
  };

  readonly take: Kernels['take'] = (image, box) => {
    if (image instanceof Resident && isWhole(box, image)) return image;
    const part = this.buffer(box, image);
    if (isWhole(box, image)) part.data.set(image.data);
    else copyBox(image, box, part.data);
    return part;
  };

  readonly owns: Kernels['owns'] = (image) => image instanceof Resident;

  readonly ownsFreely: Kernels['ownsFreely'] = (image) => image instanceof Resident && !this.#slots.isHeld(image.slot);

  readonly hold: Kernels['hold'] = (image) => this.#slots.hold(slotOf(image));

  readonly release: Kernels['release'] = (image) => this.#slots.release(slotOf(image));

  readonly bilinearRow: Kernels['bilinearRow'] = (source, into, to, start, end, x, dx, y, dy) =>
    this.#run.bilinearRow(addressOf(source), source.width * 3, addressOf(into) + to, start, end, x, dx, y, dy);

  readonly projectiveRow: Kernels['projectiveRow'] = (source, into, to, start, end, ...line) =>
    this.#run.projectiveRow(addressOf(source), source.width * 3, addressOf(into) + to, start, end, ...line);

  readonly resample: Kernels['resample'] = (source, across, down, between, into) => {
    const [first, weights, taps] = this.#filter(across);
    this.#run.resampleRows(
      addressOf(source),
      source.width * 3,
      source.height,
      addressOf(between),
      between.width,
      first,
      weights,
      taps,
      across.shift,
    );
    const [firstRow, rowWeights, rowTaps] = this.#filter(down);
    this.#run.resampleColumns(
      addressOf(between),
      between.width * 3,
      addressOf(into),
      into.height,
      firstRow,
      rowWeights,
      rowTaps,
      down.shift,
    );
  };

  readonly lookUp: Kernels['lookUp'] = (image, table) => {
    const at = this.#reserve(this.#numbers, table.length);
    new Uint8Array(this.#memory.buffer, at).set(table);
    this.#run.lookUp(addressOf(image), image.width * image.height, at);
  };

  readonly mixColours: Kernels['mixColours'] = (image, matrix) => {
    const at = this.#reserve(this.#numbers, 48);
    new Float32Array(this.#memory.buffer, at).set(matrix);
    this.#run.colourMatrix(addressOf(image), image.width * image.height, at);
  };

  readonly turnHue: Kernels['turnHue'] = (image, turns) =>
    this.#run.turnHue(addressOf(image), image.width * image.height, turns * 6 + 12);

  readonly channelSums: Kernels['channelSums'] = (image) => {
    const at = this.#reserve(this.#numbers, 192);
    const count = image.width * image.height;
    const most = count - (count % 16);
    this.#run.sumChannels(addressOf(image), most, at);
    const sums: [number, number, number] = [0, 0, 0];
    for (const [i, sum] of new Uint32Array(this.#memory.buffer, at, 48).entries()) sums[i % 3]! += sum;
    const rest = image.data.subarray(most * 3);
    for (let i = 0; i < rest.length; i++) sums[i % 3]! += rest[i]!;
    return sums;
  };

  readonly histograms: Kernels['histograms'] = (image) => {
    // Of the four that the loop works in, the first is the result.
    const at = this.#reserve(this.#numbers, 4 * 768 * 4);
    this.#run.histograms(addressOf(image), image.width * image.height, at);
    return new Uint32Array(this.#memory.buffer, at, 768).slice();
  };

  readonly sharpen: Kernels['sharpen'] = (source, factor, into) =>
    this.#run.sharpen(addressOf(source), source.width, source.height, factor, addressOf(into));

  readonly blend: Kernels['blend'] = (images, weights, into) => {
    const count = images.length;
    const at = this.#reserve(this.#numbers, 8 * count);
    new Uint32Array(this.#memory.buffer, at).set(images.map(addressOf));
    new Float32Array(this.#memory.buffer, at + 4 * count).set(weights);
    this.#run.blend(at, at + 4 * count, count, into.width * into.height * 3, addressOf(into));
  };

  readonly normalise: Kernels['normalise'] = (image, mean, std, mirrored, planes) => {
    const source = this.take(image, { left: 0, top: 0, width: image.width, height: image.height });
    const { width, height } = source;
    const numbers = this.#reserve(this.#numbers, 24);
    // In strips that stay in the nearest cache until they are copied.
    const rows = Math.max(1, Math.min(height, Math.floor(STRIP / (width * 12))));
    const out = this.#reserve(this.#planes, rows * width * 12);
    const { buffer } = this.#memory;
    new Float32Array(buffer, numbers).set([...mean, ...std]);
    for (let y = 0; y < height; y += rows) {
      const high = Math.min(rows, height - y);
      this.#run.normalise(addressOf(source) + 3 * y * width, width, high, mirrored, numbers, out);
      const strip = new Float32Array(buffer, out, 3 * high * width);
      for (let c = 0; c < 3; c++)
        planes.set(strip.subarray(c * high * width, (c + 1) * high * width), (c * height + y) * width);
    }
  };

  /** An even number of taps: they are multiplied in pairs. */
  #filter({ taps, first, weights }: Filter): [first: number, weights: number, taps: number] {
    const even = taps + (taps % 2);
    const count = first.length;
    const at = this.#reserve(this.#numbers, count * (4 + 2 * even));
    new Int32Array(this.#memory.buffer, at).set(first);
    const pairs = new Int16Array(this.#memory.buffer, at + count * 4, count * even);
    if (even === taps) pairs.set(weights);
    else for (let i = 0; i < pairs.length; i++) pairs[i] = i % even === taps ? 0 : weights[i - Math.floor(i / even)]!;
    return [at, at + count * 4, even];
  }

  #reserve(region: Region, bytes: number): number {
    if (region.bytes < bytes) {
      // Half as much again: sides vary, and every move leaves a hole.
      region.bytes = Math.ceil(bytes * 1.5);
      region.address = this.#used;
      this.#used = Math.ceil((this.#used + region.bytes + BEHIND) / 64) * 64;
      const missing = this.#used - this.#memory.buffer.byteLength;
      if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    }
    return region.address;
  }
}

function slotOf(image: Pixels): number | undefined {
  return image instanceof Resident ? image.slot : undefined;
}

function addressOf(image: Pixels): number {
  if (image instanceof Resident) return image.address;
  throw new TypeError('Expected an image in a buffer of the kernels, got one outside.');
}
