import type { CommandModule } from './command.ts';
import type { CommandName } from './options.ts';

interface Command<N extends CommandName> {
  readonly summary: string;
  /** Loads the command's module: no command waits for another's imports. */
  load(): Promise<CommandModule<N>>;
}

/** What the groups of commands are about. */
export const groups: Readonly<Record<string, string>> = {
  weights: 'fetch weights files, look into them and convert them',
  bench: 'measure how fast this adapter is',
};

export const commands: { readonly [N in CommandName]: Command<N> } = {
  train: { summary: 'train a network', load: () => import('./train.ts') },
  evaluate: { summary: "measure a run by the paper's metrics", load: () => import('./evaluate.ts') },
  compare: { summary: 'runs beside each other, beside the paper, and together', load: () => import('./compare.ts') },
  predict: { summary: 'probability of abnormality for images', load: () => import('./predict.ts') },
  dataset: { summary: 'what a data set holds, and what is wrong with its files', load: () => import('./dataset.ts') },
  phantom: { summary: "write a synthetic data set in MURA's layout", load: () => import('./phantom.ts') },
  models: { summary: 'the networks, their parameters, arithmetic and memory', load: () => import('./models.ts') },
  'weights inspect': {
    summary: 'the tensors of a weights file: shape, type, range',
    load: async () => (await import('./weights.ts')).inspect,
  },
  'weights convert': {
    summary: "a weights file as .safetensors under torchvision's names",
    load: async () => (await import('./weights.ts')).convert,
  },
  'weights fetch': {
    summary: "a network's ImageNet weights from torchvision, for train --pretrained NAME",
    load: () => import('./weights-fetch.ts'),
  },
  'weights export-onnx': {
    summary: 'a run or a weights file as an ONNX file of the network in evaluation mode',
    load: async () => (await import('./weights.ts')).exportOnnx,
  },
  profile: {
    summary: 'where the time of a step goes: time, GFLOP/s, GB/s and share of the measured peak of each launch',
    load: () => import('./profile.ts'),
  },
  'bench kernels': {
    summary: "time of the networks' kernels at their real sizes, every variant that fits",
    load: () => import('./bench-kernels.ts'),
  },
  'bench step': {
    summary: 'time of inference and of a training step, measured in turn',
    load: () => import('./bench-step.ts'),
  },
  doctor: {
    summary: 'the GPU adapter, its driver, features and limits, and whether the kernels compute right on it',
    load: () => import('./doctor.ts'),
  },
  start: {
    summary: 'make the phantom set, train, evaluate and explain: a first look',
    load: () => import('./start.ts'),
  },
};
