import { InputError, ModelError } from '../../core/errors.ts';
import { shownList, shownName } from '../../datasets/dataset.ts';
import type { DistillationLoss, FeatureLoss } from '../../train/distillation-objective.ts';
import { describeMapping, mapByNames, mapByTable, type ClassMapping, type ClassPair } from './class-mapping.ts';
import type { TeachingOptions } from './distill-options.ts';
import { COMPARED } from './taught-student.ts';
import type { Teacher } from './teacher.ts';
import type { Teaching } from './teaching.ts';

/** What a student is taught: whose classes are which, how answers are compared, and by how much. */
export interface Lesson {
  /** None where the average of the student's own weights teaches. */
  readonly teachers: readonly Teacher[];
  /** One a teacher; undefined where nothing maps, and the student gets a second head, and where there is none. */
  readonly mappings: readonly ClassMapping[] | undefined;
  readonly temperature: number;
  readonly alpha: number;
  /** What was mapped and how it is taught, a line each, to be printed. */
  readonly lines: readonly string[];
  /** How `fit` teaches it, at another temperature or share where these are tried. */
  teaching(changes?: { readonly temperature?: number; readonly alpha?: number }): Teaching;
}

export interface LessonRequest {
  readonly teachers: readonly Teacher[];
  /** The student's. */
  readonly classes: readonly string[];
  readonly hasLabels: boolean;
  readonly options: TeachingOptions;
  readonly table: readonly ClassPair[] | undefined;
  /** Whether every student's crop is what evaluation shows: teachers are then asked once. */
  readonly isVaried: boolean;
}

/** What a feature loss counts for beside the rest where it isn't told: as in its authors' code, where they have one. */
const FEATURE_WEIGHT: Readonly<Record<FeatureLoss, number>> = { hint: 1, cosine: 1, attention: 1000, rkd: 1, crd: 0.8 };

/**
 * Decides how a student is taught.
 * @throws InputError where several teachers do not fit together, or nothing would train the student's head; ModelError for
 *   features that a teacher has not
 */
export function planLesson(request: LessonRequest): Lesson {
  const { teachers, classes, hasLabels, options, isVaried } = request;
  const { loss, hard, features } = options;
  const [first] = teachers;
  const mappings = first && mapped(request);
  const needsHead = loss !== 'none' && first !== undefined && mappings === undefined;
  if (!hasLabels && (loss === 'none' || needsHead))
    throw new InputError(
      'Without labels the student learns its classes from the teacher\'s answers: they must be compared (another loss than "none").',
    );
  const temperature = options.temperature ?? (loss === 'dist' ? 1 : 4);
  const alpha = loss === 'none' ? 0 : hasLabels ? (options.alpha ?? (needsHead || first === undefined ? 0.5 : 0.9)) : 1;
  const featurePart = features && featuresOf(features, options.featureWeight ?? FEATURE_WEIGHT[features], first!);
  const taught = mappings?.[0]!.taught.map(({ student }) => student);
  const isWhole = taught === undefined || taught.length === classes.length;
  const once = options.teacherOnce || !isVaried;
  return {
    teachers,
    mappings,
    temperature,
    alpha,
    lines: [
      first === undefined
        ? 'Taught by the moving average of its own weights, about the pixels that it sees itself.'
        : `Taught by ${teachers.map(({ source }) => source).join(', ')}${teachers.length > 1 ? ' (the mean of their probabilities)' : ''}.`,
      ...(first === undefined || (loss === 'none' && mappings === undefined) ? [] : linesOfMapping(request, mappings)),
      described(options, { temperature, alpha, hasLabels, featureWeight: featurePart?.weight }),
      ...(first === undefined
        ? []
        : [
            `The teacher is asked ${once ? 'once an image, as evaluation shows it' : 'about each crop that the student sees'}.`,
          ]),
    ],
    teaching(changes = {}) {
      const at = { temperature, alpha, ...changes };
      const teaching: DistillationLoss = {
        name: 'distillation',
        answers: loss,
        ...at,
        hard,
        taught: {
          width: taught?.length ?? first?.classes.length ?? classes.length,
          ...(!isWhole && { classes: taught }),
          ...(needsHead && { head: COMPARED.head }),
          ...(first === undefined && { average: true }),
        },
        ...(featurePart && { features: featurePart }),
      };
      const asked = features && (features === 'attention' ? 'attention' : 'embedding');
      return {
        loss: teaching,
        teachers,
        question: { temperature: at.temperature, mappings, ...(asked && { features: asked }) },
        once,
      };
    },
  };
}

/** One mapping a teacher, or undefined where the names say nothing. */
function mapped({ teachers, classes, options, table }: LessonRequest): ClassMapping[] | undefined {
  const mappings = teachers.map((teacher) =>
    table === undefined
      ? mapByNames(teacher.classes, classes)
      : mapByTable(table, teacher.classes, classes, options.map!),
  );
  if (table !== undefined) return mappings;
  // Of a few classes by chance, of which no image may show any, a student would learn to tell them apart on all images.
  const isWhole = mappings.every(({ taught }) => taught.length === classes.length);
  if (isWhole) return mappings;
  const [first, ...others] = teachers as readonly [Teacher, ...Teacher[]];
  const other = others.find((teacher) => String(teacher.classes) !== String(first.classes));
  if (other !== undefined)
    throw new InputError(
      `The teachers ${first.source} and ${other.source} have different classes, and not all of the student's: their answers have no mean. Give a table of classes with --map.`,
    );
  return undefined;
}

function linesOfMapping({ teachers, classes }: LessonRequest, mappings: readonly ClassMapping[] | undefined): string[] {
  if (mappings !== undefined) {
    const lines = teachers.map((teacher, i) => describeMapping(mappings[i]!, teacher.classes, classes));
    return [...new Set(lines.flat())];
  }
  const [{ classes: theirs }] = teachers as readonly [Teacher];
  const found = mapByNames(theirs, classes).taught.map(({ student }) => classes[student]!);
  return [
    `Classes: the teacher's ${theirs.length} (${shownList(theirs)}) are others than the student's ${classes.length}` +
      `${found.length === 0 ? '' : ` (by name it knows ${shownList(found, 10)} only)`}. The student gets a second head of ${theirs.length} outputs, ` +
      `trained on all images beside its own and dropped at export. A table (--map) would map them.`,
  ];
}

function featuresOf(loss: FeatureLoss, weight: number, teacher: Teacher): NonNullable<DistillationLoss['features']> {
  if (loss !== 'attention') return { loss, weight, output: COMPARED.features, shape: [teacher.width] };
  if (teacher.maps === undefined)
    throw new ModelError(
      `Attention is compared on the last maps before their mean, and the teacher ${shownName(teacher.source)} does not end in such a mean.`,
    );
  return { loss, weight, output: COMPARED.features, shape: [1, ...teacher.maps.slice(1)] };
}

const ANSWERS = { kd: 'KL divergence', dkd: 'DKD', dist: 'DIST', none: '' } as const;

function described(
  { loss, hard, features }: TeachingOptions,
  how: {
    readonly temperature: number;
    readonly alpha: number;
    readonly hasLabels: boolean;
    readonly featureWeight: number | undefined;
  },
): string {
  const answers = hard ? "the teacher's most probable class" : `${ANSWERS[loss]} at T = ${how.temperature}`;
  const parts = [
    ...(loss === 'none' ? [] : [how.alpha === 1 ? answers : `${how.alpha} times ${answers}`]),
    ...(how.hasLabels && how.alpha < 1
      ? [`${loss === 'none' ? 1 : Number((1 - how.alpha).toFixed(6))} times cross-entropy of labels`]
      : []),
    ...(features === undefined ? [] : [`${how.featureWeight} times ${features} of features`]),
  ];
  return `Loss: ${parts.join(' + ')}.`;
}
