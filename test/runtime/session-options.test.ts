import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { SESSION_CONFIG_KEYS, sessionOptions } from '../../src/runtime/session-options.ts';

test('options become what the engine takes', () => {
  expect(sessionOptions('cpu', 3, {})).toEqual({
    enableMemPattern: true,
    executionProviders: ['cpu'],
    intraOpNumThreads: 3,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    extra: {},
  });
  expect(
    sessionOptions('cuda', 3, {
      threads: 1,
      deterministic: true,
      optimization: 'basic',
      logSeverity: 2,
      profile: '/tmp/p',
      memoryPattern: false,
      extra: { 'session.set_denormal_as_zero': '1' },
    }),
  ).toEqual({
    enableMemPattern: false,
    executionProviders: ['cuda'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'basic',
    logSeverityLevel: 2,
    extra: { 'session.set_denormal_as_zero': '1', 'session.use_deterministic_compute': '1' },
    enableProfiling: true,
    profileFilePrefix: '/tmp/p',
  });
});

test('what the engine would take without a word is refused', () => {
  expect(() => sessionOptions('cpu', 1, { extra: { 'session.set_denormal_as_zeros': '1' } })).toThrow(
    /no session entry "session.set_denormal_as_zeros" \(did you mean "session.set_denormal_as_zero"\?\)/,
  );
  expect(() => sessionOptions('cpu', 1, { extra: { 'session.set_denormal_as_zero': 1 as never } })).toThrow(
    /a string, got 1/,
  );
  expect(() => sessionOptions('cpu', 1, { optimization: 'al' as never })).toThrow(/did you mean "all"/);
  expect(() => sessionOptions('cpu', 1.5, {})).toThrow(/integer of 1 to 1024, got 1.5/);
});

test.skipIf(process.platform !== 'linux')('every entry of the list is known to the engine that is installed', () => {
  const home = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const library = readFileSync(join(home, 'bin/napi-v6/linux', process.arch, 'libonnxruntime.so.1'));
  expect(SESSION_CONFIG_KEYS.filter((key) => !library.includes(`${key}\0`))).toEqual([]);
});
