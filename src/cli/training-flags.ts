import { Option, type Command } from 'commander';
import { choice, integer, number, perChannel } from './command.ts';
import { CONSISTENCY_METHOD_NAMES, LABEL_LOSS_NAMES } from '../index.ts';
import { readingFlags } from './reading-flags.ts';

/** Flags of every command that trains: the same names, the same meaning. */

export function networkFlags(command: Command): Command {
  return command
    .option('--backbone <file|url|hf:owner/repo>', 'pretrained network to start from')
    .option('--model <name>', 'built-in network to train from scratch')
    .addOption(choice('--method <name>', 'default: finetune with a backbone, else scratch', METHODS));
}

const METHODS = ['probe', 'finetune', 'scratch', ...CONSISTENCY_METHOD_NAMES];

/** Of the plan, which chooses among methods and networks. */
export function planFlags(command: Command): Command {
  return command
    .option(
      '--backbone <file|url|hf:owner/repo>',
      'pretrained network to start from; for the plan several, with commas or given again (default: those in the cache)',
      (text: string, before: string[] = []) => [...before, text],
    )
    .option('--model <name>', 'built-in network to train from scratch')
    .addOption(
      choice('--method <name>', 'default: the plan; with an option of training finetune or scratch', [
        'plan',
        ...METHODS,
      ]),
    )
    .option('--budget <time>', 'of the plan: 90s, 10m (default), 2h')
    .option('--max-size <bytes>', "of the plan's model: 5MB")
    .option('--max-latency <time>', "of the plan's model, for one image on this machine: 20ms");
}

export function dataFlags(command: Command): Command {
  return readingFlags(command)
    .option('--val <share>', 'share of the labelled images held out for validation', number(0, 0.5))
    .option('--drop-leaks', 'leave out training images that are copies of val or test images');
}

/** Preprocessing of a network that doesn't declare it. @param of goes before each name: `teacher-` */
export function preprocessingFlags(command: Command, of: '' | 'teacher-' = ''): Command {
  return command
    .option(`--${of}input-size <side>`, 'input side of the network, in pixels', integer(8))
    .option(`--${of}mean <values>`, 'per channel, on the scale 0 to 255', perChannel)
    .option(`--${of}std <values>`, 'per channel, on the scale 0 to 255', perChannel)
    .addOption(choice(`--${of}channels <order>`, 'order of the colour channels', ['rgb', 'bgr']))
    .addOption(choice(`--${of}interpolation <name>`, 'of the resize', ['nearest', 'bilinear', 'bicubic']))
    .option(
      `--${of}crop-fraction <share>`,
      'side of the centre crop, relative to the resized shorter side',
      number(0.01, 1),
    )
    .addOption(choice(`--${of}layout <name>`, 'layout of the network input', ['nchw', 'nhwc']))
    .option(`--${of}embedding <value>`, 'name of the value that holds the features')
    .option(`--${of}logits <value>`, "name of the network's logits");
}

export function gradientsFlag(command: Command): Command {
  return command.option('--gradients', "join histograms of the image's gradients to the features of the backbone");
}

export function smallerFlags(command: Command): Command {
  return command
    .option('--train-size <side>', 'train on smaller images first, of so many pixels a side', integer(8))
    .option('--final-epochs <n>', "with --train-size: epochs at the network's own side (default: a fifth)", integer(1));
}

export function trainingFlags(command: Command): Command {
  return smallerFlags(command)
    .option('--epochs <n>', 'passes over the labelled images', integer(1))
    .option('--batch-size <n>', 'images a step', integer(1))
    .option('--lr <rate>', 'learning rate of the body', number(0))
    .option('--head-lr <rate>', 'learning rate of the head', number(0))
    .addOption(choice('--optimizer <name>', 'update rule', ['sgd', 'adam', 'adamw', 'lion', 'lamb']))
    .option('--weight-decay <x>', 'not applied to norms and biases', number(0))
    .option('--momentum <x>', 'of sgd', number(0, 0.9999))
    .addOption(
      choice('--schedule <name>', 'of the learning rate', ['cosine', 'one-cycle', 'step', 'linear', 'constant']),
    )
    .option('--warmup-epochs <n>', 'epochs of linear warm-up', number(0))
    .option('--label-smoothing <x>', '', number(0, 0.99))
    .addOption(choice('--class-weights <name>', 'weights in the loss', ['none', 'balanced']))
    .option('--clip-norm <x>', "bound on the gradient's global norm", number(0))
    .option('--accumulate <n>', 'micro-batches a step', integer(1))
    .option('--recompute <k>', "keep every k-th block's values, compute the rest again: saves memory", integer(1))
    .option('--ema <decay>', 'averaged weights; 0 turns them off', number(0, 0.99999))
    .addOption(choice('--batch-norm <mode>', 'statistics frozen or of the batch', ['auto', 'frozen', 'batch']))
    .option('--layer-decay <factor>', 'learning rate factor for each step of depth away from the head', number(0.01, 1))
    .option('--unfreeze-epochs <n>', 'unfreeze gradually, from the head down', integer(0))
    .option('--train <pattern...>', 'train only parameters that match (globs)')
    .option('--freeze <pattern...>', 'freeze parameters that match (globs)')
    .option('--dropout <share>', 'before the head', number(0, 0.95))
    .option('--stochastic-depth <rate>', 'skip residual branches at random, the last at this rate', number(0, 0.95))
    .option('--find-lr', 'search the learning rate first');
}

/** Of what is learnt from labels. */
export function lossFlag(command: Command): Command {
  return command.addOption(choice('--loss <name>', 'ce, or one that wrong labels harm less', LABEL_LOSS_NAMES));
}

/** Of methods that learn from unlabelled images. */
export function consistencyFlags(command: Command): Command {
  return command
    .option('--mu <n>', 'unlabelled images to each labelled one (default: 7 from scratch, 3 on a backbone)', integer(1))
    .option('--steps <n>', 'steps of training, rounded up to whole epochs, in place of --epochs', integer(1))
    .option('--threshold <p>', "confidence from which a label counts (default: the method's)", number(0, 1))
    .option('--unsupervised-weight <x>', 'of the loss of unlabelled images', number(0))
    .addOption(
      choice('--labeller <who>', 'who labels: the network or the average of its weights', ['student', 'average']),
    )
    .addOption(
      choice('--align <to>', 'correct labels towards these shares of classes', ['none', 'uniform', 'labelled']),
    )
    .option(
      '--debias <x>',
      'how much of the mean prediction, as a logarithm, is taken off logits that label',
      number(0, 10),
    )
    .addOption(
      choice('--annealing <how>', 'labelled images count until the network is sure of them', [
        'none',
        'logarithmic',
        'linear',
        'exponential',
      ]),
    )
    .option('--weak <policy>', 'how images are varied that are labelled')
    .option('--strong <policy>', 'how images are varied that are trained on');
}

export function cropScaleFlag(command: Command): Command {
  return command.option(
    '--crop-scale <area>',
    'smallest random crop, as a share of the area; 1 turns crops off',
    number(0.01, 1),
  );
}

export function flipFlag(command: Command): Command {
  return command.addOption(choice('--flip <mode>', 'horizontal flips in training', ['auto', 'on', 'off']));
}

/** Of the run's folder. */
export function runFlags(command: Command): Command {
  return command
    .option('--out <run>', 'folder of the run (default: a new one under runs/)')
    .option('--resume <run>', 'continue an interrupted run; stands alone')
    .option('--accept-engine', 'with --resume: go on although the engine or its choices differ')
    .option('--accept-data-change', 'with --resume: go on although the data changed');
}

export function configFlag(command: Command): Command {
  return command.option('--config <file>', 'options as YAML or JSON; flags win over it');
}

/** Of what is chosen after training, and of the model that is written. */
export function modelFlags(command: Command): Command {
  return command
    .option('--blend <share>', 'of the trained weights, mixed with those it started from', number(0, 1))
    .option('--patience <epochs>', 'stop after so many epochs without a better validation score', integer(1))
    .option('--abstain-precision <p>', 'precision wanted of answers above the abstain threshold', number(0.01, 1))
    .option('--folds <k>', 'folds for choices and calibration; 0 does without', integer(0))
    .addOption(new Option('--variants <names...>', 'further exports, measured').choices(['bare', 'float16', 'int8']));
}

export function profileFlag(command: Command): Command {
  return command.option(
    '--profile',
    'show where time goes, and write a trace (profile.json) into the folder of the run',
  );
}

export function engineFlags(command: Command): Command {
  return command
    .option('--engine <file>', "use an engine.json's choices again")
    .option('--tune', 'measure the lowerings of new shapes before training');
}
