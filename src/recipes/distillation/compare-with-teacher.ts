import { timed } from '../../core/profile.ts';
import type { ImageSource } from '../../batches/evaluation-crops.ts';
import { agreementOf, type Agreement } from './agreement.ts';
import type { Lesson } from './lesson.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { outputsOf } from '../results/outputs.ts';
import { teacherAnswers } from './teacher-answers.ts';
import type { Workshop } from '../workshop/workshop.ts';

/**
 * How far a student agrees with its teachers on the classes that they taught, each seeing an image as evaluation shows it.
 * @param maxPixels of an image, at most
 * @returns undefined where the teachers' classes are others than the student's
 */
export async function compareWithTeacher(
  workshop: Workshop,
  { mappings, teachers }: Lesson,
  network: Network,
  samples: readonly ImageSource[],
  maxPixels: number,
): Promise<Agreement | undefined> {
  if (mappings === undefined) return undefined;
  const { engine, crops, signal, onProgress, track } = workshop;
  return timed(track, 'compare with the teacher', async () => {
    const question = { temperature: 1, mappings };
    const { answer } = await teacherAnswers(workshop, teachers, question, samples, maxPixels);
    const graph = onPixels(network.graph, network.logits, network.preprocessing);
    const own = await outputsOf(engine, graph, crops, samples, { stage: 'compare', signal, onProgress, track });
    const taught = mappings[0]!.taught.map(({ student }) => student);
    const logits = own.data as Float32Array;
    const width = logits.length / samples.length;
    const chosen = Float32Array.from(
      { length: samples.length * taught.length },
      (_, i) => logits[Math.floor(i / taught.length) * width + taught[i % taught.length]!]!,
    );
    return agreementOf(answer.data as Float32Array, chosen, samples.length);
  });
}
