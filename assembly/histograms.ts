/** Pixels follow one another in four histograms, so that none waits for the one before. */
const COPIES: usize = 4;
const BYTES: usize = 768 << 2;

/**
 * Counts each value of each channel.
 * @param out COPIES times [3, 256] u32; the sum is in the first
 */
export function histograms(image: usize, count: i32, out: usize): void {
  memory.fill(out, 0, COPIES * BYTES);
  const end = image + 3 * count;
  let at = image;
  for (; at + 12 <= end; at += 12) {
    const one = load<u32>(at);
    const two = load<u32>(at, 4);
    const three = load<u32>(at, 8);
    raise(out, one & 255);
    raise(out + 1024, (one >> 8) & 255);
    raise(out + 2048, (one >> 16) & 255);
    raise(out + BYTES, one >> 24);
    raise(out + BYTES + 1024, two & 255);
    raise(out + BYTES + 2048, (two >> 8) & 255);
    raise(out + 2 * BYTES, (two >> 16) & 255);
    raise(out + 2 * BYTES + 1024, two >> 24);
    raise(out + 2 * BYTES + 2048, three & 255);
    raise(out + 3 * BYTES, (three >> 8) & 255);
    raise(out + 3 * BYTES + 1024, (three >> 16) & 255);
    raise(out + 3 * BYTES + 2048, three >> 24);
  }
  for (; at < end; at += 3) for (let c = 0; c < 3; c++) raise(out + (c << 10), load<u8>(at + c));
  for (let i: usize = 0; i < BYTES; i += 16) {
    let sum = v128.load(out + i);
    for (let k: usize = 1; k < COPIES; k++) sum = i32x4.add(sum, v128.load(out + i + k * BYTES));
    v128.store(out + i, sum);
  }
}

// @ts-ignore: decorator
@inline
function raise(table: usize, value: u32): void {
  const place = table + (<usize>value << 2);
  store<u32>(place, load<u32>(place) + 1);
}
