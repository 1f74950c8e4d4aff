/** Which of the kernels' buffers are free: a few that are used again and again, more only while some are held. */
export class Slots {
  /** How often each is held. */
  readonly #holds = new Map<number, number>();

  /** The lowest that is neither held nor among `kept`; undefined there is an image outside. */
  free(kept: readonly (number | undefined)[]): number {
    let slot = 0;
    while (this.isHeld(slot) || kept.includes(slot)) slot++;
    return slot;
  }

  isHeld(slot: number | undefined): boolean {
    return slot !== undefined && (this.#holds.get(slot) ?? 0) > 0;
  }

  /** What lies outside needs no holding. */
  hold(slot: number | undefined): void {
    if (slot !== undefined) this.#holds.set(slot, (this.#holds.get(slot) ?? 0) + 1);
  }

  /** Once for each time that it was held. */
  release(slot: number | undefined): void {
    if (slot !== undefined) this.#holds.set(slot, this.#holds.get(slot)! - 1);
  }
}
