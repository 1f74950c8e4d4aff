import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageVersion } from '../../core/package-version.ts';
import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import { EngineChoices } from '../../train/engine-choices.ts';
import { withEngine } from '../workshop/in-workshop.ts';
import type { TrainControl } from '../train-control.ts';
import { factsOf } from './facts.ts';
import { openPlan, planData } from './open-plan.ts';
import { describeOutline, outlineOf, type PlannedStage } from './outline.ts';
import { resolvePlanOptions, type PlanOptions } from './plan-options.ts';
import { answerRate } from './rates.ts';
import { finishingSeconds } from './run-plan.ts';
import { rightOfSpread } from './spread-attempt.ts';
import { StageTimes } from './stage-times.ts';

/** What `train` would do. */
export interface Plan {
  /** Seconds. */
  readonly budget: number;
  readonly stages: readonly PlannedStage[];
  /** All of it for a person. */
  readonly text: string;
}

/**
 * What `train` would do with these options and how long each stage would take on this machine; trains and writes nothing.
 * @throws InputError for bad options or data
 * @example
 * const { stages } = await plan({ data: 'photos', backbone: 'mobilenet_v2.onnx', budget: '5m' });
 */
export async function plan(options: PlanOptions, control: TrainControl = {}): Promise<Plan> {
  const resolved = resolvePlanOptions(options);
  const { train, budget } = resolved;
  const start = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'gleaner-plan-'));
  try {
    return await withEngine(train, control, undefined, async (engine) => {
      const data = await planData(resolved, control, undefined);
      const opened = await openPlan(resolved, data, control);
      const { preprocessing } = opened.base;
      await using pool = await ImagePool.start(preprocessing, { maxPixels: train.maxPixels * 1e6 });
      const crops = new EvaluationCrops(pool, new CropCache(preprocessing));
      const choices = await EngineChoices.open(engine, {
        file: join(folder, 'engine.json'),
        gleaner: packageVersion(),
      });
      const workshop = { engine, choices, pool, crops, record: () => {}, signal: control.signal };
      const site = { workshop, options: resolved, data, times: await StageTimes.open(engine) };
      const answer = await answerRate(site, opened.base);
      const known = factsOf(data, train);
      const isTried = opened.candidates.length === 0 && known.withoutUnlabelled === undefined;
      const facts = { ...known, spreadRight: isTried ? await rightOfSpread(site) : undefined };
      const at = { ...site, facts, finishing: finishingSeconds(data, answer) };
      const stages = outlineOf(at, opened, answer, (performance.now() - start) / 1000);
      return { budget, stages, text: describeOutline(stages, budget) };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
