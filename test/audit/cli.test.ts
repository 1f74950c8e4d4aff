import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/augment/policy.ts';
import { temporaryFolder } from '../datasets/image-folder.ts';
import { lastJson, runGleaner } from '../support/run-gleaner.ts';
import { usual, writeScenes, type Draw } from './toy.ts';

/** As different as photos are: scenes that are nearly alike are looked at for copies, pair by pair. */
const varied: Draw = (s, i) => ({
  ...usual(s, i),
  x: 0.6 * s.uniform() - 0.3,
  y: 0.6 * s.uniform() - 0.3,
  size: 0.15 + 0.5 * s.uniform(),
  angle: 90 * s.uniform(),
});
const dark: Draw = (s, i) => ({ ...varied(s, i), light: 0.3 + 0.2 * s.uniform() });

async function folders(): Promise<{ readonly data: string; readonly world: string; readonly out: string }> {
  const root = temporaryFolder();
  await writeScenes(root, [
    { path: 'data/a', draw: varied, count: 30 },
    { path: 'data/b', draw: varied, count: 30 },
    { path: 'world', draw: dark, count: 40 },
  ]);
  return { data: join(root, 'data'), world: join(root, 'world'), out: root };
}

describe('gleaner data audit', () => {
  it('ends with the findings and the policy as one JSON line, and writes a page and a policy that parses', async () => {
    const { data, world, out } = await folders();
    const [page, policy] = [join(out, 'audit.html'), join(out, 'policy.txt')];
    const outputs = ['--json', '--out', page, '--policy-out', policy];
    const finished = await runGleaner(['data', 'audit', data, '--world', world, ...outputs]);
    expect(finished.code).toBe(0);
    const result = lastJson(finished) as { findings: Record<string, unknown>[]; proposal: { policy: string } };
    expect(result).toMatchObject({
      type: 'result',
      images: 60,
      classes: ['a', 'b'],
      world: { source: world, images: 40 },
      page,
    });
    expect(result).not.toHaveProperty('pictures');
    for (const finding of result.findings)
      expect(finding).toMatchObject({
        kind: expect.any(String),
        severity: expect.stringMatching(/^(high|medium|low)$/),
        what: expect.any(String),
        advice: expect.any(String),
        evidence: expect.any(Object),
        classes: expect.any(Array),
        examples: expect.any(Array),
      });
    expect(result.findings[0]).toMatchObject({ kind: 'differs-from-world', severity: 'high' });
    expect(readFileSync(policy, 'utf8')).toBe(`${result.proposal.policy}\n`);
    expect(parsePolicy(result.proposal.policy).text).toMatch(/^oneof\(.*brightness\(.*,p=0\.5\)$/);
    const html = readFileSync(page, 'utf8');
    expect(html).toContain(result.proposal.policy.split('|')[0]);
    expect(html).toContain('data:image/jpeg;base64,');
    // Nothing is fetched from anywhere.
    expect(html).not.toMatch(/(?:src|href)="(?!data:|#)/);
  });

  it('without a world, looks at the data alone and proposes nothing', async () => {
    const { data, out } = await folders();
    const policy = join(out, 'policy.txt');
    const finished = await runGleaner(['data', 'audit', data, '--json', '--policy-out', policy]);
    expect(finished.code).toBe(0);
    expect(lastJson(finished)['comparisons']).toEqual([]);
    expect(lastJson(finished)).not.toHaveProperty('proposal');
    expect(finished.stderr).toContain('no policy is proposed without a world');
    expect(existsSync(policy)).toBe(false);
  });

  it('refuses predictions about other files', async () => {
    const { data, out } = await folders();
    const bad = join(out, 'bad.csv');
    writeFileSync(bad, 'file,label\nelsewhere.png,a\n');
    const refused = await runGleaner(['data', 'audit', data, '--predictions', bad]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('name no image of the data');
  });

  it('ends with exit code 2 where the world is missing', async () => {
    const { data } = await folders();
    const finished = await runGleaner(['data', 'audit', data, '--world', '/nowhere/at/all']);
    expect(finished.code).toBe(2);
    expect(finished.stderr).toContain('/nowhere/at/all');
  });
});
