import type { Precision } from '../base/traits.ts';
import { type PassName, passNames } from '../graph/passes/index.ts';
import {
  angle,
  choice,
  either,
  learningRate,
  type Parser,
  path,
  positive,
  positiveWhole,
  probability,
  seed,
  someOf,
  text,
  webAddress,
} from './parsers.ts';

/** An option that takes a value, as `--image-size <PX>`. */
interface ValueOption<T> {
  readonly kind: 'value';
  readonly argument: string;
  readonly help: string;
  readonly parser: Parser<T & {}>;
  readonly fallback: T;
  readonly mandatory: boolean;
}

/** False unless given. */
interface FlagOption {
  readonly kind: 'flag';
  readonly help: string;
}

/** True unless its `--no-` form is given. */
interface SwitchOption {
  readonly kind: 'switch';
  readonly help: string;
}

/** What stands without a flag, as RUN. */
interface Argument {
  readonly kind: 'argument';
  readonly argument: string;
  readonly help: string;
}

/** One or more words that stand without a flag, as IMAGE... */
interface ListArgument {
  readonly kind: 'list';
  readonly argument: string;
  readonly help: string;
}

export type OptionEntry = ValueOption<unknown> | FlagOption | SwitchOption;
export type Entry = OptionEntry | Argument | ListArgument;

/** Options by the names that the command's code uses: `imageSize` is `--image-size`. */
export type Table = Readonly<Record<string, Entry>>;

type ValueOf<E> =
  E extends ValueOption<infer T>
    ? T
    : E extends { kind: 'list' }
      ? string[]
      : E extends { kind: 'argument' }
        ? string
        : boolean;

export type Parsed<T extends Table> = { readonly [K in keyof T]: ValueOf<T[K]> };

function value<T>(argument: string, parser: Parser<T & {}>, help: string, fallback: T): ValueOption<T> {
  return { kind: 'value', argument, help, parser, fallback, mandatory: false };
}

/** A value that may be absent. */
function optional<T extends {}>(argument: string, parser: Parser<T>, help: string): ValueOption<T | undefined> {
  return { kind: 'value', argument, help, parser, fallback: undefined, mandatory: false };
}

function mandatory(argument: string, help: string): ValueOption<string> {
  return { kind: 'value', argument, help, parser: path, fallback: '', mandatory: true };
}

const flag = (help: string) => ({ kind: 'flag', help }) as const;
const onUnlessDenied = (help: string) => ({ kind: 'switch', help }) as const;
const argument = (name: string, help: string) => ({ kind: 'argument', argument: name, help }) as const;
const list = (name: string, help: string) => ({ kind: 'list', argument: name, help }) as const;

const common = {
  json: flag('print one JSON object on stdout, and nothing else'),
  verbose: flag('show the stack of an error'),
};

const noFuse = value<readonly PassName[]>(
  'NAMES',
  someOf(passNames),
  `rewrites of the plan to leave out, separated by commas, or all: ${passNames.join(', ')}`,
  [],
);

const onAdapter = {
  adapter: value('KIND', text, 'auto, hardware, software, embedded, or a part of the name of an adapter', 'auto'),
  ...common,
};

const precisions = choice<Precision>('f32', 'f16');
const STORES = 'type in which maps and their gradients are stored; weights, statistics and sums are f32';
const precision = value<Precision>(
  'TYPE',
  precisions,
  `${STORES}; f16 falls back to f32 where the adapter lacks it`,
  'f32',
);

const run = argument('RUN', 'a run folder, or a weights file (.safetensors, .pth)');

const runPrecision = optional('TYPE', precisions, `${STORES} (default: the run's)`);

/** The network of a bare weights file; a run folder knows its own. */
const bareWeights = {
  model: optional('NAME', text, "network of a bare weights file; `murad models` lists them (default: the run's)"),
  imageSize: optional('PX', positiveWhole, "side to which images are resized (default: the run's)"),
};

const cache = optional(
  'DIR',
  path,
  'folder in which decoded images are kept (default: murad/images in $XDG_CACHE_HOME or ~/.cache)',
);

const train = {
  data: optional('DIR', path, "folder in MURA's layout; without it a phantom set is made under data/phantom"),
  cache,
  model: value('NAME', text, 'network; `murad models` lists them', 'densenet121'),
  imageSize: value('PX', positiveWhole, 'side to which images are resized', 320),
  epochs: value('N', positiveWhole, 'passes over the training images in all', 100),
  batchSize: value<number | 'auto'>(
    'N',
    either(positiveWhole, choice('auto')),
    'images a step; auto: the largest of 64, 32, 16 that fits in memory',
    'auto',
  ),
  microBatch: optional(
    'N',
    positiveWhole,
    'images of one forward and backward pass, over which batch norm takes its statistics; a step averages the ' +
      'gradients of its passes (default: as many of a step as fit in memory)',
  ),
  lr: value('RATE', learningRate, "Adam's learning rate at the start", 1e-4),
  pretrained: optional(
    'FILE',
    path,
    'weights to start from (.safetensors, .pth), or the name of a network whose ImageNet weights were fetched',
  ),
  freeze: optional(
    'PART',
    choice('features'),
    'features: train the classifier alone; the features keep their pretrained weights and statistics',
  ),
  freezeEpochs: optional(
    'N',
    positiveWhole,
    'freeze the features for the first N epochs only; Adam then begins anew with all weights',
  ),
  dropout: optional('P', probability, "probability of every dropout layer (default: each layer's own)"),
  classWeights: flag(
    'weigh each image in the training loss by the share of the other class in its region, as the MURA paper does; the ' +
      'validation loss stays unweighted',
  ),
  seed: value('N', seed, 'draws the weights, the order of images and the augmentation', 0),
  out: optional('DIR', path, 'run folder to write (default: a new one under runs/)'),
  resume: optional(
    'RUN',
    path,
    'run folder to go on with, by its own options save --epochs, --lr, --data, --early-stop and --save-minutes',
  ),
  augment: onUnlessDenied('flip and rotate the training images at random'),
  maxRotation: value('DEGREES', angle, 'largest rotation to either side', 30),
  plateauPatience: value(
    'N',
    positiveWhole,
    'epochs without a better validation loss until the rate falls to a tenth',
    10,
  ),
  best: value<'loss' | 'kappa'>(
    'MEASURE',
    choice('loss', 'kappa'),
    'validation measure that chooses best.safetensors',
    'loss',
  ),
  earlyStop: optional(
    'N',
    positiveWhole,
    'end after N epochs without a better one by the measure of --best; those of --freeze-epochs do not count',
  ),
  saveMinutes: value('N', positive, 'save within an epoch too, every N minutes', 10),
  noFuse,
  precision,
  maxSteps: optional('N', positiveWhole, 'stop after so many steps in all; --resume goes on'),
  limit: optional('N', positiveWhole, 'use only the first N images of each split'),
  tune: flag(
    'before training, check every kernel at its sizes, time those to choose from, and keep the fastest for later runs',
  ),
  ...onAdapter,
};

const evaluate = {
  run,
  data: mandatory('DIR', "folder in MURA's layout"),
  split: value<'train' | 'valid'>('NAME', choice('train', 'valid'), 'split to evaluate', 'valid'),
  cache,
  ...bareWeights,
  precision: runPrecision,
  ...onAdapter,
};

const compare = {
  runs: list('RUN', 'run folders that murad evaluate has measured on the same images'),
  html: optional('FILE', path, 'write the comparison with its charts as one page that works without a network (.html)'),
  ...common,
};

const predict = {
  run,
  images: list('IMAGE', 'PNG or JPEG files, folders of them, or globs'),
  cam: optional('DIR', path, 'write an overlay of the class activation map for each abnormal image'),
  camAll: flag('with --cam: for every image'),
  ...bareWeights,
  precision: runPrecision,
  ...onAdapter,
};

const dataset = { directory: argument('DIR', "folder in MURA's layout"), ...common };

const phantom = {
  directory: argument('DIR', 'folder to write; must not exist or be empty'),
  studies: value('N', positiveWhole, 'studies in all, training and validation', 1000),
  size: value('PX', positiveWhole, 'longer side of the images', 320),
  seed: value('N', seed, 'the same seed gives the same bytes', 0),
  ...common,
};

const models = {
  imageSize: value('PX', positiveWhole, 'image side for the arithmetic and memory', 320),
  batchSize: value('N', positiveWhole, 'batch size for the memory', 8),
  precision: { ...precision, help: STORES },
  ...common,
};

const weightsInspect = {
  file: argument('FILE', 'weights file (.safetensors, .pth)'),
  ...common,
};

const weightsConvert = {
  file: argument('FILE', 'weights file (.safetensors, .pth)'),
  out: argument('OUT', '.safetensors file to write'),
  dtype: optional('TYPE', choice('F32', 'F16', 'BF16'), 'of the floating-point tensors (default: their own)'),
  ...common,
};

const weightsFetch = {
  name: argument('NAME', 'network; `murad models` lists them'),
  out: optional('FILE', path, 'file to write (default: in murad/weights in $XDG_CACHE_HOME or ~/.cache)'),
  url: value('URL', webAddress, 'address of the folder, or of a mirror of it', 'https://download.pytorch.org/models'),
  ...common,
};

const weightsExportOnnx = {
  run,
  out: argument('OUT', '.onnx file to write'),
  ...bareWeights,
  ...common,
};

const doctor = {
  check: onUnlessDenied('check every kernel that is fit for this adapter against its float64 reference'),
  ...onAdapter,
};

const rounds = (fallback: number) => value('N', positiveWhole, 'runs of each, whose median is taken', fallback);

/** The sizes of what is measured: small enough for a software adapter. */
const measuredSizes = {
  imageSize: value('PX', positiveWhole, 'side of the images', 64),
  batchSize: value('N', positiveWhole, 'images a step', 8),
};

const measuredModel = value('NAME', text, 'network; `murad models` lists them', 'densenet121');

const profile = {
  model: measuredModel,
  ...measuredSizes,
  inference: flag('measure an inference instead of a training step'),
  noFuse,
  precision,
  rounds: rounds(5),
  top: value('N', positiveWhole, 'slowest ops to list', 20),
  trace: optional('FILE', path, 'write the launches as a trace for Perfetto or chrome://tracing (.json)'),
  html: optional('FILE', path, 'write a roofline plot as one page that works without a network (.html)'),
  ...onAdapter,
};

const benchKernels = {
  models: value('NAMES', text, 'networks whose sizes are measured, separated by commas, or all', 'all'),
  ...measuredSizes,
  filter: optional('TEXT', text, 'only sizes with this in their op, layer, shapes or attributes'),
  allOps: flag('measure every op, not only the convolutions'),
  usedOnly: flag('measure only the variant that a plan takes'),
  naive: flag(
    'measure the grouped convolutions alone, unfused, beside the naive kernel of the repository (bench/naive)',
  ),
  rounds: rounds(9),
  out: optional('FILE', path, 'write the figures with their conditions (.json)'),
  against: optional('FILE', path, 'tell what changed since a file that --out wrote, by more than noise'),
  ...onAdapter,
};

const benchStep = {
  model: measuredModel,
  ...measuredSizes,
  noFuse: { ...noFuse, help: `measure a training step without them too; ${noFuse.help}` },
  precision,
  rounds: rounds(9),
  out: optional('FILE', path, 'write the figures with their conditions (.json)'),
  ...onAdapter,
};

/**
 * Every command's arguments and options: the command line, its help, its defaults and its types follow from this.
 * A name of two words is a command within a group.
 */
export const optionTables = {
  train,
  evaluate,
  compare,
  predict,
  dataset,
  phantom,
  models,
  'weights inspect': weightsInspect,
  'weights convert': weightsConvert,
  'weights fetch': weightsFetch,
  'weights export-onnx': weightsExportOnnx,
  profile,
  'bench kernels': benchKernels,
  'bench step': benchStep,
  doctor,
  start: onAdapter,
} satisfies Record<string, Table>;

export type CommandName = keyof typeof optionTables;

/** The options of a command as parsed. */
export type Options<N extends CommandName> = Parsed<(typeof optionTables)[N]>;

/** What a command's options are where the command line gives none. */
export function defaultsOf<N extends CommandName>(name: N): Options<N> {
  const ofEntry = (entry: Entry) => (entry.kind === 'value' ? entry.fallback : entry.kind === 'switch');
  return Object.fromEntries(
    Object.entries<Entry>(optionTables[name]).map(([key, entry]) => [key, ofEntry(entry)]),
  ) as Options<N>;
}
