import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Decisions, DECISIONS } from '../../../src/recipes/plan/decisions.ts';
import { epochsInTime, Pace } from '../../../src/recipes/plan/pace.ts';
import type { PlanSite } from '../../../src/recipes/plan/plan-site.ts';
import type { NewEvent } from '../../../src/train/events.ts';

const folder = mkdtempSync(join(tmpdir(), 'gleaner-pace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('epochsInTime', () => {
  const so = { epoch: 2, epochs: 10, planned: 10, seconds: 1, later: 0 };

  it('leaves a training alone that ends in time, or nearly, and leaves little', () => {
    expect(epochsInTime(so, 8, 1)).toBe(10);
    expect(epochsInTime(so, 7.3, 1)).toBe(10);
    expect(epochsInTime({ ...so, later: 8 }, 15, 1)).toBe(10);
    expect(epochsInTime(so, 8.5, 3)).toBe(10);
  });

  it('takes the same share from this training and from those after it', () => {
    expect(epochsInTime(so, 6, 1)).toBe(8);
    // Of 8 + 8 epochs 12 fit: 6 of these.
    expect(epochsInTime({ ...so, later: 8 }, 12, 1)).toBe(8);
  });

  it('leaves half of it, and one epoch to fall to the end of the schedule', () => {
    expect(epochsInTime(so, -3, 1)).toBe(5);
    expect(epochsInTime({ ...so, epoch: 7 }, 0, 1)).toBe(8);
    expect(epochsInTime({ ...so, epoch: 9, epochs: 10 }, 0, 1)).toBe(10);
    expect(epochsInTime({ ...so, epochs: 5 }, 1, 1)).toBe(5);
  });

  it('takes time that came back, up to what was planned, and what more is of use', () => {
    expect(epochsInTime({ ...so, epochs: 5 }, 6.7, 1)).toBe(8);
    expect(epochsInTime({ ...so, epochs: 5 }, 100, 1)).toBe(10);
    expect(epochsInTime(so, 13.3, 3)).toBe(14);
    expect(epochsInTime(so, 100, 3)).toBe(30);
    // Later ones become longer, too.
    expect(epochsInTime({ ...so, later: 8 }, 26.5, 3)).toBe(14);
    expect(epochsInTime({ ...so, epoch: 12, epochs: 14 }, 2.5, 3)).toBe(14);
    expect(epochsInTime({ ...so, epoch: 12, epochs: 20 }, 4.1, 3)).toBe(16);
  });
});

describe('Pace', () => {
  it('decides once, counts what is left out, and asks no clock when it is asked again', async () => {
    const events: NewEvent[] = [];
    const site = async (budget: number): Promise<PlanSite> =>
      ({
        decisions: await Decisions.open(join(folder, DECISIONS), performance.now()),
        options: { budget },
        data: { crossValidated: false },
        finishing: 0,
        workshop: { record: (event: NewEvent) => events.push(event) },
      }) as unknown as PlanSite;
    const work = { images: 2000, seconds: 100, besides: 0 };
    const training = { stage: 'round-1-student', planned: 10, images: 100 };
    // 9 epochs here and 10 after it, of 10 seconds each: 190, where about 95 are left.
    const pace = new Pace(await site(95), 'self-train', work);
    const ask = (of: Pace, epoch: number, epochs: number, seconds?: number): Promise<number> =>
      of.workshop.pace!({ ...training, epoch, epochs, ...(seconds !== undefined && { seconds }) });
    expect(await ask(pace, 1, 10, 10)).toBe(5);
    expect(events).toMatchObject([
      { type: 'pace', stage: 'round-1-student', epoch: 1, epochs: 5, before: 10, planned: 10 },
    ]);
    expect(pace.leftOut).toBeCloseTo(500 / 2000);

    const again = new Pace(await site(10_000), 'self-train', work);
    expect(again.leftOut).toBeCloseTo(500 / 2000);
    expect(await ask(again, 1, 10)).toBe(5);
    // Where there is time again, it is taken.
    expect(await ask(again, 2, 5, 10)).toBe(10);
    // The second round: none comes after it, and there is time.
    expect(await again.workshop.pace!({ ...training, stage: 'round-2-student', epoch: 1, epochs: 10, seconds: 900 })).toBe(10); // prettier-ignore
    expect(again.leftOut).toBe(0);
  });

  it('leaves a stage alone that is as short as it may be', async () => {
    const workshop = { record() {} };
    const decisions = await Decisions.open(join(folder, 'none.json'), performance.now());
    const site = { workshop, decisions } as unknown as PlanSite;
    expect(new Pace(site, 'distill', { images: 10, seconds: 0, besides: 0 }).workshop.pace).toBeUndefined();
  });
});
