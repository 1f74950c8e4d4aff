import type { Sample } from '../../datasets/dataset.ts';
import { openNetwork } from '../networks/open-network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { ResolvedTrainOptions } from '../train-options.ts';
import { underName } from '../workshop/under-name.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { workshopFor } from '../workshop/workshop-for.ts';
import { labellers, type Labeller } from './labeller.ts';
import { EmbeddedImages, PropagationLabeller, spreadingOn } from './propagation-labeller.ts';
import { labellerOf, type SelfTrainSite, type Student } from './self-train-job.ts';

/**
 * Without a backbone, labels spread where that is right for so many of the labelled images held out; else a network is trained, which
 * few labels teach less: 30 of letters b, d, p, q, n, u, a network of them 40 % right, labels that spread 77 %, their student 85 %.
 */
export const OFTEN_RIGHT = 0.5;

type FirstMethod = 'probe' | 'finetune' | 'scratch' | 'propagation';

/** A network, and who labels in its stead. */
export interface FirstTeacher extends Student {
  readonly labeller: Labeller;
  /** By whom it is judged: the network itself, unless labels spread. */
  readonly judged: Labeller;
}

/** Its network is the probe on the features that labels spread over. */
interface Spreading extends Student {
  readonly labeller: PropagationLabeller;
}

function goingOn({ labeller, ...student }: Spreading): FirstTeacher {
  const spreading = spreadingOn(labeller);
  return { ...student, labeller: spreading, judged: spreading };
}

/** Teachers that are made from labels alone: of the run, and of its folds. */
export class FirstTeachers {
  readonly #site: SelfTrainSite;
  #method: FirstMethod | undefined;
  #images: EmbeddedImages | undefined;

  constructor(site: SelfTrainSite) {
    this.#site = site;
    const { firstTeacher, teacherBackbones, train } = site.job.options;
    const hasFeatures = train.backbone !== undefined || teacherBackbones.length > 0;
    // A probe costs seconds, and what fine-tuning adds on a few images is little.
    this.#method = firstTeacher ?? (hasFeatures ? 'probe' : undefined);
  }

  /**
   * @param pool what it may label
   * @param name begins the names of its stages
   * @param workshop where it is trained
   */
  async make(
    labelled: readonly LabelledSample[],
    pool: readonly Sample[],
    name: string,
    workshop: Workshop = this.#site.workshop,
  ): Promise<FirstTeacher> {
    if (this.#method === undefined) {
      const spread = await this.#spreading(labelled, name, workshop);
      const right = (await spread.labeller.heldRight()) ?? 0;
      this.#method = right < OFTEN_RIGHT ? 'scratch' : 'propagation';
      const how = right < OFTEN_RIGHT ? 'a network is trained from them first' : 'so the first labels are made';
      this.#site.workshop.onProgress?.({
        type: 'note',
        message: `Labels that spread among images alike in their gradients are right for ${Math.round(100 * right)} % of labelled images held out: ${how}.`,
      });
      if (this.#method === 'propagation') return goingOn(spread);
    }
    if (this.#method === 'propagation') return goingOn(await this.#spreading(labelled, name, workshop));
    const made = async (
      method: Exclude<FirstMethod, 'propagation'>,
      more: Partial<ResolvedTrainOptions>,
      named: string,
    ) => {
      const student = await this.#train(method, more, labelled, named, workshop);
      return { ...student, judged: labellerOf(this.#site, student.network, labelled, pool) };
    };
    const { teacherBackbones, train } = this.#site.job.options;
    const isOwn = train.backbone !== undefined || teacherBackbones.length === 0;
    const own = isOwn ? await made(this.#method, {}, name) : undefined;
    const others = [];
    for (const [i, backbone] of teacherBackbones.entries())
      others.push(
        own !== undefined && backbone === train.backbone
          ? own
          : await made('probe', { ...ofAnother, backbone }, `${name}-${i + 1}`),
      );
    // Without a backbone of its own, one of theirs is what is left where no student is any better.
    const first = own ?? others[0]!;
    return { ...first, labeller: others.length === 0 ? first.judged : labellers(others.map(({ judged }) => judged)) };
  }

  async #spreading(labelled: readonly LabelledSample[], name: string, workshop: Workshop): Promise<Spreading> {
    const { job } = this.#site;
    const { train } = job.options;
    const own = train.backbone === undefined ? withoutBackbone : {};
    const student = await this.#train('probe', own, labelled, name, workshop);
    // The features of a probe are those of its backbone, whatever it was trained on: all folds share a graph.
    const { data } = job;
    const all = [...data.train, ...data.unlabeled];
    this.#images ??= new EmbeddedImages(this.#site.workshop, student.network, all, train.maxPixels * 1e6);
    return { ...student, labeller: new PropagationLabeller(this.#images, labelled, data.classes.length) };
  }

  /** By the usual method, for as long as `train` would. */
  async #train(
    method: Exclude<FirstMethod, 'propagation'>,
    more: Partial<ResolvedTrainOptions>,
    labelled: readonly LabelledSample[],
    name: string,
    workshop: Workshop,
  ): Promise<Student> {
    const { stages, job } = this.#site;
    const { options, data, control } = job;
    // What is said of epochs and sizes is said of students.
    const {
      folds: _folds,
      epochs: _epochs,
      warmupEpochs: _warmup,
      trainSize: _size,
      finalEpochs: _final,
      ...train
    } = options.train;
    // Folds choose the strength of a probe's regularisation; what another training would choose by them costs more than it is worth here.
    const own = { ...train, ...more, method, blend: 1, ...(method !== 'probe' && { folds: 0 }) };
    const quiet = control.signal === undefined ? {} : { signal: control.signal };
    const opened = await openNetwork(own, method, { ...data, train: labelled, validation: [] }, quiet);
    const trained = await workshopFor(workshop, opened.preprocessing, own.maxPixels * 1e6, (at) =>
      opened.train(underName(at, name), stages.within(`${name}-`)),
    );
    return { network: trained.network, of: opened };
  }
}

/** What is said of the input of one network is none of another's. */
const ofAnother = {
  model: undefined,
  inputSize: undefined,
  mean: undefined,
  std: undefined,
  channels: undefined,
  interpolation: undefined,
  cropFraction: undefined,
  layout: undefined,
  embedding: undefined,
  logits: undefined,
  dropout: undefined,
} as const;

/** Options of the network that labels spread over where there is no backbone. */
export const withoutBackbone = { ...ofAnother, backbone: 'builtin:gradients' } as const;
