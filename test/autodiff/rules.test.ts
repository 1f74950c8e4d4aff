import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { evaluate } from '../reference/interpreter.ts';
import { rows } from './rows/all.ts';
import { graphOf } from './rows/row.ts';

describe('every gradient rule agrees with central differences', () => {
  it.each(rows.map((row) => [`${row.op}: ${row.what}`, row] as const))('%s', (_, row) => {
    const { graph, feeds } = graphOf(row);
    const outputs = row.differentiated?.map((index) => graph.outputs[index]!.name);
    const worst = checkGradients(graph, { evaluate, feeds, ...(outputs === undefined ? {} : { outputs }) });
    expect(worst).toBeLessThan(1e-7);
  });
});
