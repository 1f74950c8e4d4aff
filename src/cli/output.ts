import { createRequire } from 'node:module';
import type { SingleBar } from 'cli-progress';
import type { Progress } from '../core/progress.ts';

/** What the person asked for about output; common to all commands. */
export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

/**
 * Where words go: with `--json`, standard output holds nothing but JSON lines, and progress and
 * words go to standard error; a bar is drawn only on a terminal, else plain lines.
 */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  #bar: SingleBar | undefined;
  #barStage = '';
  #lastPlain = 0;

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.quiet = options.quiet;
  }

  /** One JSON line on standard output; nothing without `--json`. */
  jsonLine(value: { readonly type: string } & Record<string, unknown>): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** The answer itself for a person: standard output, unless `--json` holds it. */
  text(line: string): void {
    this.#endBar();
    if (!this.json) process.stdout.write(`${line}\n`);
  }

  /** Words beside the answer: standard error, unless `--quiet`. */
  note(line: string): void {
    if (this.quiet) return;
    this.#endBar();
    process.stderr.write(`${line}\n`);
  }

  /** Warnings are shown even with `--quiet`. */
  warn(line: string): void {
    this.#endBar();
    process.stderr.write(`warning: ${line}\n`);
  }

  /** Draws what the library tells. */
  readonly progress = (event: Progress): void => {
    this.jsonLine(event);
    switch (event.type) {
      case 'note':
        return this.note(event.message);
      case 'warning':
        return this.warn(event.message);
      case 'stage':
        this.#endBar();
        if (event.state === 'end' && event.seconds !== undefined && event.seconds >= 1)
          this.note(`${event.stage}: ${event.seconds.toFixed(1)} s`);
        return;
      case 'step':
        return this.#step(event);
      case 'epoch':
        return this.#epoch(event);
      case 'profile':
        return this.#profile(event);
    }
  };

  close(): void {
    this.#endBar();
  }

  #step(event: Extract<Progress, { type: 'step' }>): void {
    if (this.quiet) return;
    const loss = event.found ?? (event.loss === undefined ? '' : `loss ${event.loss.toFixed(3)}`);
    if (process.stderr.isTTY) {
      if (this.#bar === undefined || this.#barStage !== event.stage) {
        this.#endBar();
        // Only a terminal needs it.
        const progress = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress');
        this.#bar = new progress.SingleBar({
          stream: process.stderr,
          format: '{stage} [{bar}] {value}/{total} {unit} {rate} {loss} {eta_formatted} left',
          hideCursor: true,
          clearOnComplete: true,
          fps: 8,
        });
        this.#barStage = event.stage;
        this.#bar.start(event.total, event.done, { stage: event.stage, unit: event.unit, loss, rate: '' });
      }
      this.#bar.setTotal(event.total);
      this.#bar.update(event.done, { loss, rate: event.rate === undefined ? '' : `${event.rate.toFixed(0)}/s` });
      return;
    }
    const now = Date.now();
    if (now - this.#lastPlain < 10_000 || event.done === 0) return;
    this.#lastPlain = now;
    process.stderr.write(`${event.stage}: ${event.done}/${event.total} ${event.unit} ${loss}\n`);
  }

  #epoch(event: Extract<Progress, { type: 'epoch' }>): void {
    // Plain logs stay readable: every epoch of a short run, about fifty lines of a long one.
    const every = process.stderr.isTTY ? 1 : Math.max(1, Math.ceil(event.epochs / 50));
    if (event.epoch % every !== 0 && event.epoch !== event.epochs) return;
    const accuracy = event.accuracy === undefined ? '' : `, validation accuracy ${(100 * event.accuracy).toFixed(1)} %`;
    this.note(
      `${event.stage} epoch ${event.epoch}/${event.epochs}: loss ${event.loss.toFixed(4)}${accuracy}, ` +
        `${event.imagesPerSecond.toFixed(0)} images/s, ${duration(event.secondsLeft)} left`,
    );
  }

  /** Asked for, so shown even with `--quiet`; beside JSON lines on standard error. */
  #profile({ file, seconds, training, decodingThreads, rows }: Extract<Progress, { type: 'profile' }>): void {
    this.#endBar();
    const lines = [
      '',
      table(
        ['thread', 'what', 'calls', 'images', 'seconds', 'ms an image', 'share'],
        rows.map((row) => [
          row.thread,
          row.what,
          row.calls,
          row.images === 0 ? '-' : row.images,
          row.seconds.toFixed(2),
          row.images === 0 || row.seconds === 0 ? '-' : ((1000 * row.seconds) / row.images).toFixed(2),
          percent(row.share),
        ]),
      ),
      '',
      `Engine busy ${percent(training.engineBusy)} of the ${training.seconds.toFixed(1)} s of training, idle ` +
        `${percent(1 - training.engineBusy)}: ${percent(training.engineWaiting)} waiting for images, ` +
        `${percent(training.engineOtherwiseIdle)} between steps. All: ${seconds.toFixed(1)} s.`,
      ...(decodingThreads === undefined
        ? []
        : [`Threads that decode: ${decodingThreads.training} in training, ${decodingThreads.all} in evaluation.`]),
      ...(file === undefined ? [] : [`Trace:   ${file} (open it in chrome://tracing or ui.perfetto.dev)`]),
    ];
    (this.json ? process.stderr : process.stdout).write(`${lines.join('\n')}\n`);
  }

  #endBar(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** `75` as `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `0.874` as `87.4 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Rows as aligned columns; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  const numeric = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[-\d.,%\s]*$/.test(String(row[i] ?? ''))),
  );
  return cells
    .map((row) =>
      row
        .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
