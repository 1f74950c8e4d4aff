/** Where time goes, as the threads that spend it measure it. */

/** Something that took time on a track. */
export interface Span {
  readonly name: string;
  /** Milliseconds since 1970, as all threads of a process agree on them. */
  readonly start: number;
  readonly end: number;
  /** Images it was for; 0 where that says nothing. */
  readonly images: number;
  /** Which one, where there are several of a name. */
  readonly detail?: string;
}

/** All spans of a name, or a count. */
export interface Total {
  calls: number;
  images: number;
  /** Milliseconds, without what was spent in spans inside. */
  own: number;
  /** Milliseconds. */
  whole: number;
  /** Calls of which no span is kept. */
  dropped: number;
}

/** The state of a queue. */
export interface Level {
  readonly name: string;
  readonly time: number;
  readonly value: number;
}

/** What a track holds, as it goes from thread to thread. */
export interface TrackRecord {
  readonly name: string;
  readonly spans: readonly Span[];
  readonly levels: readonly Level[];
  readonly totals: ReadonlyMap<string, Total>;
  /** The same while a network was trained, see `Track.training`. */
  readonly trainingTotals: ReadonlyMap<string, Total>;
}

/** What the threads of a kind did under one name. */
export interface ProfileRow {
  /** `engine`, `image decoders`, ... */
  readonly thread: string;
  readonly what: string;
  readonly calls: number;
  /** That it was done for; 0 where that says nothing. */
  readonly images: number;
  /** Without what is listed by a name of its own. */
  readonly seconds: number;
  /** Of the job's time, 0..1; of several threads, of all of theirs. */
  readonly share: number;
}

/** Spans of a name, and levels, that a track keeps one by one; later ones are counted only. */
const KEPT = 2000;

interface Open {
  readonly name: string;
  readonly start: number;
  readonly detail: string | undefined;
  inside: number;
}

/** The clock of all tracks, whichever thread reads it; milliseconds since 1970. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * One line of work: its spans lie beside or inside each other and never overlap in part, so what runs at the same
 * time needs tracks of its own. Memory is bounded.
 */
export class Track {
  readonly name: string;
  /** Set while a network is trained: what ends meanwhile counts as part of training. */
  training = false;
  readonly #spans: Span[] = [];
  readonly #levels: Level[] = [];
  readonly #totals = new Map<string, Total>();
  readonly #trainingTotals = new Map<string, Total>();
  readonly #open: Open[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Opens a span inside those that are open; `end` closes the last that was opened. */
  begin(name: string, detail?: string): void {
    this.#open.push({ name, start: clock(), detail, inside: 0 });
  }

  end(images = 0): void {
    const { name, start, detail, inside } = this.#open.pop()!;
    const end = clock();
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.inside += end - start;
    const total = this.#total(this.#totals, name);
    for (const one of this.training ? [total, this.#total(this.#trainingTotals, name)] : [total]) {
      one.calls++;
      one.images += images;
      one.own += end - start - inside;
      one.whole += end - start;
    }
    if (total.calls > KEPT) total.dropped++;
    else this.#spans.push({ name, start, end, images, ...(detail !== undefined && { detail }) });
  }

  /** Something that happened and took no time worth measuring. */
  count(name: string, images: number): void {
    if (images === 0) return;
    const total = this.#total(this.#totals, name);
    total.calls++;
    total.images += images;
  }

  level(name: string, value: number): void {
    if (this.#levels.length < KEPT) this.#levels.push({ name, time: clock(), value });
  }

  record(): TrackRecord {
    return {
      name: this.name,
      spans: this.#spans,
      levels: this.#levels,
      totals: this.#totals,
      trainingTotals: this.#trainingTotals,
    };
  }

  #total(totals: Map<string, Total>, name: string): Total {
    let total = totals.get(name);
    if (total === undefined) totals.set(name, (total = { calls: 0, images: 0, own: 0, whole: 0, dropped: 0 }));
    return total;
  }
}

/** Does some work and, where there is a track, measures it. */
export async function timed<T>(
  track: Track | undefined,
  name: string,
  work: () => Promise<T>,
  images = 0,
  detail?: string,
): Promise<T> {
  if (track === undefined) return work();
  track.begin(name, detail);
  try {
    return await work();
  } finally {
    track.end(images);
  }
}

/** As `timed`, of work that does not wait. */
export function timedSync<T>(track: Track | undefined, name: string, work: () => T, images = 0): T {
  if (track === undefined) return work();
  track.begin(name);
  try {
    return work();
  } finally {
    track.end(images);
  }
}

/** The same items; where there is a track, waiting for each is measured. */
export function waited<T>(track: Track | undefined, name: string, items: AsyncIterable<T>): AsyncIterable<T> {
  return track === undefined ? items : measuredWaits(track, name, items);
}

async function* measuredWaits<T>(track: Track, name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await timed(track, name, () => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
