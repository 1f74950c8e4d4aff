import { configureGlobal } from 'fast-check';

// The same cases in every run: a change is judged by the change. `GLEANER_TEST_SEED` looks for others.
configureGlobal({ seed: Number(process.env['GLEANER_TEST_SEED'] ?? 1) });
