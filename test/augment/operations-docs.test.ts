import { expect, it } from 'vitest';
import { operationsTable } from './support/operations-table.ts';

/** Written anew by `npx vitest run test/augment/operations-docs.test.ts --update`. */
it('docs/operations.md says what the operations are', async () => {
  await expect(operationsTable()).toMatchFileSnapshot('../../docs/operations.md');
});
