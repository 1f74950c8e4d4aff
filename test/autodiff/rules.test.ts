import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/check-gradients.ts';
import { differentiableOps } from '../../src/autodiff/rules/table.ts';
import { evaluate } from '../reference/interpreter.ts';
import { rows } from './rows/all.ts';
import { graphOf } from './rows/row.ts';

describe('the table of gradients', () => {
  it('has a row here for every op that a gradient passes through', () => {
    const tested = new Set(rows.map((row) => `${row.domain ?? ''}:${row.op}`));
    const missing = differentiableOps().filter(({ domain, opType }) => !tested.has(`${domain}:${opType}`));
    expect(missing).toEqual([]);
  });
});

describe('every gradient rule agrees with central differences', () => {
  it.each(rows.map((row) => [`${row.op}: ${row.what}`, row] as const))('%s', (_, row) => {
    const { graph, feeds } = graphOf(row);
    const outputs = row.differentiated?.map((index) => graph.outputs[index]!.name);
    const worst = checkGradients(graph, { evaluate, feeds, ...(outputs === undefined ? {} : { outputs }) });
    expect(worst).toBeLessThan(1e-7);
  });
});
