import { extname } from 'node:path';
import { Option, type Command } from 'commander';
import { writeFileAtomic } from '../core/atomic-file.ts';
import {
  InputError,
  parsePolicy,
  previewAugmentation,
  probeAugmentation,
  replayAugmentation,
  resumeSearch,
  safetyPage,
  searchAugmentation,
  sheetFile,
  writeImage,
  type PolicySearchOptions,
  type PolicySearchResult,
  type PreviewOptions,
  type SafetyOptions,
  type SafetyResult,
} from '../index.ts';
import { defineCommand, integer, number, type CommonOptions } from './command.ts';
import { percent, table } from './output.ts';
import {
  cropScaleFlag,
  dataFlags,
  engineFlags,
  flipFlag,
  networkFlags,
  preprocessingFlags,
  trainingFlags,
} from './training-flags.ts';

type PreviewFlags = CommonOptions & Omit<PreviewOptions, 'signal'> & { out?: string };
type ReplayFlags = CommonOptions & { epoch: number; stage?: string; out?: string };
type SafetyFlags = CommonOptions & Omit<SafetyOptions, 'data'> & { page?: string };
type SearchFlags = CommonOptions & Omit<PolicySearchOptions, 'data'> & { resume?: string };

/** `gleaner augment DATA`, and what else has to do with policies below it. */
export function augmentCommand(): Command {
  return (
    previewCommand()
      // `--out` behind a command below is that command's.
      .enablePositionalOptions()
      .addCommand(replayCommand())
      .addCommand(safetyCommand())
      .addCommand(searchCommand())
  );
}

function previewCommand(): Command {
  return defineCommand<PreviewFlags>(
    'augment <data>',
    'Shows what a policy, or every operation, does to photos of a data set',
    [
      'augment photos --policy "randomresizedcrop|flip|randaugment(2,9)" --out grid.html',
      'augment photos --policy "randomresizedcrop|cutmix(1)" --out mixed.png',
      'augment photos --out operations.html',
      'augment replay runs/001 cat/7.jpg --epoch 7',
      'augment safety photos --backbone mobilenet_v2.onnx',
      'augment search photos --backbone mobilenet_v2.onnx --minutes 30',
    ],
    (command) =>
      command
        .option('--policy <policy>', 'a policy (docs/augmentation.md); without one, all operations are shown')
        .option('--steps', 'what each step of the policy does, one after the other')
        .option('--operations <names...>', 'operations to show where there is no policy')
        .option('--photos <n>', 'photos, a row each', integer(1))
        .option('--draws <n>', 'drawings of the policy a photo', integer(1))
        .option('--size <side>', "side of the network's input, in pixels", integer(8))
        .option('--out <file>', 'an .html or .png file (default: augmentation.html)'),
    async ([data], flags, { output, signal }) => {
      const { json: _json, quiet: _quiet, device: _device, threads: _threads, out, ...options } = flags;
      const file = out ?? 'augmentation.html';
      if (!['.html', '.png'].includes(extname(file).toLowerCase()))
        throw new InputError(`--out takes an .html or a .png file, got "${file}".`);
      const sheet = await previewAugmentation(data!, { ...options, signal });
      await writeFileAtomic(file, await sheetFile(sheet, file));
      output.text(`${sheet.title}: ${file}`);
      const policy = options.policy === undefined ? undefined : parsePolicy(options.policy).text;
      output.jsonLine({
        type: 'result',
        file,
        policy,
        rows: sheet.rows.map(({ title, cells }) => ({ title, captions: cells.map(({ caption }) => caption) })),
      });
    },
  );
}

function replayCommand(): Command {
  return defineCommand<ReplayFlags>(
    'replay <run> <image>',
    'Makes a training image again: exactly the pixels that the network saw',
    ['augment replay runs/001 cat/7.jpg --epoch 7', 'augment replay runs/001 cat/7.jpg --epoch 7 --stage fold-1'],
    (command) =>
      command
        .addOption(new Option('--epoch <n>', 'epoch, from 1').argParser(integer(1)).makeOptionMandatory())
        .option('--stage <name>', 'finetune, scratch or fold-K (default: the one that trained the model)')
        .option(
          '--out <file>',
          'a .png file; further times in the epoch, and views, get a number (default: replay.png)',
        ),
    async ([run, id], { epoch, stage, threads, out }, { output, signal }) => {
      const images = await replayAugmentation(
        run!,
        id!,
        { epoch, ...(stage !== undefined && { stage }), ...(threads !== undefined && { threads }) },
        { signal, onProgress: output.progress },
      );
      const base = (out ?? 'replay.png').replace(/\.png$/i, '');
      const files: string[] = [];
      for (const [i, image] of images.entries()) {
        const file = i === 0 ? `${base}.png` : `${base}-${i + 1}.png`;
        await writeImage(file, image.pixels);
        files.push(file);
        const labels = image.labels.map(({ className, share }) => `${percent(share)} ${className}`).join(', ');
        const view =
          image.view === undefined ? '' : `, view ${image.view}${image.view === 0 ? ' (without augmix)' : ''}`;
        output.text(`${file}: epoch ${epoch}, step ${image.step}${view}, ${labels}`);
      }
      output.jsonLine({
        type: 'result',
        images: images.map(({ pixels: { width, height }, ...image }, i) => ({
          ...image,
          file: files[i],
          width,
          height,
        })),
      });
    },
  );
}

/** What safety and search are told about data, network and training. */
function searchFlags(command: Command): Command {
  networkFlags(command).option('--out <folder>', 'folder of what is found and tried (default: a new one under runs/)');
  dataFlags(command);
  preprocessingFlags(command);
  trainingFlags(command);
  cropScaleFlag(command).option('--images <n>', 'images that safety is tried on, at most (default: 200)', integer(1));
  return engineFlags(command);
}

function safetyCommand(): Command {
  return defineCommand<SafetyFlags>(
    'safety <data>',
    'Tries which operations a data set bears: is what they make still recognised, class by class? With a backbone by a head fitted to its features; from scratch a network is trained first, as the flags say',
    ['augment safety photos --backbone mobilenet_v2.onnx', 'augment safety digits --epochs 20 --page safety.html'],
    (command) => searchFlags(command).option('--page <file>', 'the table with pictures, as .html'),
    async ([data], flags, { output, signal }) => {
      const { json: _json, quiet: _quiet, page, ...given } = flags;
      if (page !== undefined && extname(page).toLowerCase() !== '.html')
        throw new InputError(`--page takes an .html file, got "${page}".`);
      const control = { signal, onProgress: output.progress };
      const result = await probeAugmentation({ ...given, data: data! } as SafetyOptions, control);
      if (page !== undefined)
        await writeFileAtomic(
          page,
          await safetyPage(data!, result, { ...(given.seed !== undefined && { seed: given.seed }) }),
        );
      showSafety(result, output.text.bind(output));
      if (page !== undefined) output.text(`With pictures: ${page}`);
      output.jsonLine({ type: 'result', ...result, ...(page !== undefined && { page }) });
    },
  );
}

function showSafety({ images, accuracy, views }: SafetyResult, text: (line: string) => void): void {
  text(
    `Tried on ${images} images that the network was not trained on; it recognises ${percent(accuracy)} as they are.`,
  );
  text('');
  text(
    table(
      ['operation', 'magnitude', 'recognised no more', 'verdict', 'worst class'],
      views.toSorted(byOperation).map(({ operation, level, lost, interval, verdict, classes }) => {
        const worst = classes.toSorted((a, b) => b.lost - a.lost)[0];
        const taken = worst?.takenFor === undefined ? '' : `, taken for ${worst.takenFor.className}`;
        return [
          operation,
          level === undefined ? '' : (level * 30).toFixed(0),
          `${percent(lost)} (${percent(interval[0])} to ${percent(interval[1])})`,
          verdict,
          worst === undefined || worst.lost === 0 ? '' : `${worst.className}: ${percent(worst.lost)}${taken}`,
        ];
      }),
    ),
  );
}

/** Each operation by itself, its strongest level first. */
function byOperation(a: SafetyResult['views'][number], b: SafetyResult['views'][number]): number {
  return a.operation === b.operation ? (b.level ?? 1) - (a.level ?? 1) : a.operation < b.operation ? -1 : 1;
}

function searchCommand(): Command {
  return defineCommand<SearchFlags>(
    'search [data]',
    'Searches the augmentation policy on folds of the labelled training images',
    ['augment search photos --backbone mobilenet_v2.onnx --minutes 30', 'augment search --resume runs/003'],
    (command) =>
      flipFlag(searchFlags(command))
        .option('--allow <operations...>', 'operations that count as safe, whatever is found')
        .option('--deny <operations...>', 'operations that are left out, whatever is found')
        .option('--minutes <n>', 'time for the search and the comparison of what it found (default: 20)', number(0.01))
        .option('--resume <run>', 'continue an interrupted search; stands alone'),
    async ([data], flags, { output, signal }) => {
      const { json: _json, quiet: _quiet, resume, ...given } = flags;
      const control = { signal, onProgress: output.progress };
      if (resume !== undefined && data !== undefined)
        throw new InputError('--resume stands alone: the data folder comes from the config.json of the search.');
      if (resume === undefined && data === undefined)
        throw new InputError('Which data? Give a folder or a manifest: gleaner augment search DATA.');
      const result =
        resume === undefined
          ? await searchAugmentation({ ...given, data: data! } as PolicySearchOptions, control)
          : await resumeSearch(resume, control);
      showSearch(result, output.text.bind(output));
      output.jsonLine({ type: 'result', ...result });
    },
  );
}

function showSearch(result: PolicySearchResult, text: (line: string) => void): void {
  const { arms, gain, images, seeds, policy, trials, seconds } = result;
  text('');
  text(
    table(
      ['policy', 'accuracy', ''],
      arms.map(({ name, accuracy, policy: of }) => [name, percent(accuracy), of]),
    ),
  );
  text('');
  const points = (value: number): string => `${value >= 0 ? '+' : ''}${(value * 100).toFixed(1)}`;
  for (const [name, { mean, interval }] of Object.entries(gain))
    text(
      `searched over ${name}: ${points(mean)} points (95 % interval ${points(interval[0])} to ${points(interval[1])})`,
    );
  text(
    `on ${images} images that the search did not see, ${seeds} trainings each; ${trials} trainings in ${(seconds / 60).toFixed(1)} minutes.`,
  );
  text(`Policy: ${policy}`);
}
