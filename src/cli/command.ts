import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { AbortedError, didYouMean, InputError } from '../core/errors.ts';
import { Output } from './output.ts';

/** What every command's action gets besides its own options. */
export interface Context {
  readonly output: Output;
  /** Fires at the first Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

export interface CommonOptions {
  readonly seed?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** A command with the options common to all, examples in its help, and exit codes as documented. */
export function defineCommand<Options extends CommonOptions>(
  usage: string,
  description: string,
  examples: readonly string[],
  configure: (command: Command) => void,
  action: (args: string[], options: Options, context: Context) => Promise<void>,
): Command {
  const [name, ...args] = usage.split(' ');
  const command = new Command(name).description(description);
  for (const argument of args) command.argument(argument);
  configure(command);
  command
    .option('--seed <n>', 'seed of every random choice (default: 0)', integer(0))
    .option('--device <name>', 'where to run: auto (default), cpu, cuda, webgpu, ...')
    .option('--threads <n>', 'threads of the engine (default: one a core)', integer(1))
    .option('--json', 'JSON lines on standard output', false)
    .option('--quiet', 'no progress', false)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ gleaner ${line}`).join('\n')}`)
    .action(async (...received: unknown[]) => {
      const options = received[args.length] as Options;
      const given = received
        .slice(0, args.length)
        .flat()
        .filter((value) => value !== undefined) as string[];
      await run(given, options, action);
    });
  return command;
}

async function run<Options extends CommonOptions>(
  args: string[],
  options: Options,
  action: (args: string[], options: Options, context: Context) => Promise<void>,
): Promise<void> {
  const output = new Output(options);
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    output.note('\nStopping after the current step (Ctrl-C again to end at once) ...');
    controller.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await action(args, options, { output, signal: controller.signal });
  } catch (error) {
    process.exitCode = exitCode(error);
    const message = error instanceof Error ? error.message : String(error);
    output.jsonLine({ type: 'error', message, exitCode: process.exitCode });
    output.close();
    process.stderr.write(`gleaner: ${message}\n`);
    if (process.exitCode === 1 && process.env['GLEANER_DEBUG'] && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
  } finally {
    output.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** 130 for Ctrl-C, 2 for bad input, 1 for a fault. */
function exitCode(error: unknown): number {
  if (error instanceof AbortedError) return 130;
  if (error instanceof InputError) return 2;
  return 1;
}

/** Runs the command line; unknown options and values end with exit code 2 and nothing started. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
    command
      .exitOverride()
      .configureOutput({ writeErr: (text) => process.stderr.write(text) })
      .showSuggestionAfterError();
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and --version are asked for, not errors.
    process.exitCode = error.exitCode === 0 || error.code === 'commander.helpDisplayed' ? 0 : 2;
  }
}

/** Parser of an option's value: an integer of at least `min`. */
export function integer(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < min)
      throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
    return value;
  };
}

/** Parser of an option's value: a number within [min, max]. */
export function number(min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value) || value < min || value > max)
      throw new InvalidArgumentError(
        `Expected a number from ${min}${max === Number.POSITIVE_INFINITY ? ' up' : ` to ${max}`}.`,
      );
    return value;
  };
}

/** Parser of an option's value: one number for all channels, or three with commas. */
export function perChannel(text: string): number[] {
  const values = text.split(',').map(Number);
  if ((values.length !== 1 && values.length !== 3) || values.some((value) => !Number.isFinite(value)))
    throw new InvalidArgumentError('Expected one number, or three with commas, on the scale 0 to 255.');
  return values.length === 1 ? [values[0]!, values[0]!, values[0]!] : values;
}

/** An option that takes one of `choices`, with "did you mean". */
export function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, `${description} (${choices.join(', ')})`).argParser((text: string) => {
    if (!choices.includes(text)) {
      const near = didYouMean(text, choices);
      throw new InvalidArgumentError(
        `Allowed: ${choices.join(', ')}.${near === undefined ? '' : ` Did you mean "${near}"?`}`,
      );
    }
    return text;
  });
}
