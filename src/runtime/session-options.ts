import { InputError, suggestion } from '../core/errors.ts';

/** How much ONNX Runtime rewrites a graph before the first run. */
export const OPTIMIZATIONS = ['disabled', 'basic', 'extended', 'layout', 'all'] as const;
export type Optimization = (typeof OPTIMIZATIONS)[number];

export interface LoadOptions {
  /** For messages; default `model`, or the file's path. */
  readonly name?: string;
  /** What its runs are called where time is measured; default the name. */
  readonly span?: string;
  /** The same bytes from every run with the same number of threads, at some cost in speed. */
  readonly deterministic?: boolean;
  /** Threads inside an op; default the engine's. */
  readonly threads?: number;
  /** Default `all`. */
  readonly optimization?: Optimization;
  /**
   * Whether the engine, once it has seen a run, lays all values of the next ones out in one block: that block comes
   * on top of what the first run took. Default true.
   */
  readonly memoryPattern?: boolean;
  /** Prefix of a JSON profile that is written when the session is released (`<prefix>_<time>.json`). */
  readonly profile?: string;
  /** What the engine logs to standard error, 0 (everything) to 4 (default: nothing; its errors are thrown here). */
  readonly logSeverity?: 0 | 1 | 2 | 3 | 4;
  /** Further configuration entries of the engine, by their full name; see `SESSION_CONFIG_KEYS`. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Hands the model's bytes over instead of copying them: they are gone for the caller. */
  readonly transfer?: boolean;
}

/**
 * The configuration entries of ONNX Runtime 1.30 that make sense here. The engine accepts a misspelt one
 * without a word, so nothing else is let through.
 */
export const SESSION_CONFIG_KEYS = [
  'mlas.disable_kleidiai',
  'optimization.disable_specified_optimizers',
  'optimization.enable_cast_chain_elimination',
  'optimization.enable_gelu_approximation',
  'session.disable_aot_function_inlining',
  'session.disable_cpu_ep_fallback',
  'session.disable_double_qdq_remover',
  'session.disable_prepacking',
  'session.disable_quant_qdq',
  'session.enable_dq_matmulnbits_fusion',
  'session.enable_quant_qdq_cleanup',
  'session.force_spinning_stop',
  'session.graph_optimizations_loop_level',
  'session.inter_op.allow_spinning',
  'session.intra_op.allow_spinning',
  'session.intra_op_thread_affinities',
  'session.qdqisint8allowed',
  'session.set_denormal_as_zero',
  'session.strict_shape_type_inference',
  'session.use_deterministic_compute',
  'session.use_device_allocator_for_initializers',
  'session.use_env_allocators',
  'session.x64quantprecision',
] as const;

/** What the engine's `InferenceSession.create` takes. */
export interface SessionOptions {
  readonly executionProviders: readonly string[];
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: 1;
  readonly graphOptimizationLevel: Optimization;
  readonly logSeverityLevel: 0 | 1 | 2 | 3 | 4;
  readonly extra: Readonly<Record<string, string>>;
  readonly enableMemPattern: boolean;
  readonly enableProfiling?: boolean;
  readonly profileFilePrefix?: string;
}

/** How the graphs of a training step are loaded, and what is measured for them. */
export const TRAINING_SESSION = {
  deterministic: true,
  memoryPattern: false,
  // A DequantizeLinear is a product here; the engine would make one for each of its readers.
  extra: { 'session.disable_quant_qdq': '1' },
} satisfies LoadOptions;

/**
 * @param threads the engine's own number, where `options` names none.
 * @throws InputError for an unknown entry or a value out of range.
 */
export function sessionOptions(device: string, threads: number, options: LoadOptions): SessionOptions {
  const extra: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.extra ?? {})) {
    if (!(SESSION_CONFIG_KEYS as readonly string[]).includes(key))
      throw new InputError(`The engine has no session entry "${key}"${suggestion(key, SESSION_CONFIG_KEYS)}.`);
    if (typeof value !== 'string')
      throw new InputError(`The session entry "${key}" takes a string, got ${JSON.stringify(value)}.`);
    extra[key] = value;
  }
  if (options.deterministic) extra['session.use_deterministic_compute'] = '1';
  const optimization = options.optimization ?? 'all';
  if (!OPTIMIZATIONS.includes(optimization))
    throw new InputError(
      `The optimization must be one of ${OPTIMIZATIONS.join(', ')}, got "${optimization}"${suggestion(optimization, OPTIMIZATIONS)}.`,
    );
  return {
    executionProviders: [device],
    intraOpNumThreads: checkThreads(options.threads ?? threads),
    interOpNumThreads: 1,
    graphOptimizationLevel: optimization,
    logSeverityLevel: options.logSeverity ?? 4,
    enableMemPattern: options.memoryPattern ?? true,
    extra,
    ...(options.profile !== undefined && { enableProfiling: true, profileFilePrefix: options.profile }),
  };
}

/** @throws InputError unless `threads` is an integer of 1 to 1,024. */
export function checkThreads(threads: number): number {
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw new InputError(`The number of threads must be an integer of 1 to 1024, got ${threads}.`);
  return threads;
}
