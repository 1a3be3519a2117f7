/** What the page asks of the worker that holds the GPU, and what it is told. Plain data that can be posted. */

import type { AdapterKind } from '../../src/base/traits.ts';
import type { EpochMetrics } from '../../src/train/run-state.ts';
import type { KernelReport, StepReport } from './bench-report.ts';

export interface AdapterReport {
  readonly name: string;
  readonly kind: AdapterKind;
  readonly driver: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

export interface WeightsReport {
  readonly file: string;
  /** The network as torchvision names it, and as the paper does. */
  readonly model: string;
  readonly title: string;
  /** Width and height of the images that it reads, in pixels. */
  readonly imageSize: number;
  readonly smallestImage: number;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

export interface WeightsChoice {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** In place of the size that the file says it was trained for. */
  readonly imageSize?: number;
}

/** One image as the network read it. */
export interface Reading {
  readonly name: string;
  readonly probability: number;
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
  /** PNG files of the image's size. */
  readonly original: Blob;
  readonly overlay: Blob;
  /** The class activation map at the size of the feature maps, row by row. */
  readonly map: { readonly width: number; readonly height: number; readonly values: Float32Array };
  /** Whether the map is Grad-CAM, from the logit's gradient. */
  readonly byGradient: boolean;
  /** Bytes of GPU buffers that are in use after it. */
  readonly gpuBytes: number;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

export type OnProgress = (progress: Progress) => void;

export interface BenchOptions {
  /** Sizes at which the network's inference is timed, in pixels. */
  readonly inferenceSizes: readonly number[];
  /** Size whose training step's convolutions are timed; undefined: none. */
  readonly kernelSize: number | undefined;
  readonly rounds: number;
}

/** The form of bench/results: that of `bench kernels`, with inference beside it. */
export interface BenchReport extends KernelReport {
  readonly model: string;
  readonly inference: readonly StepReport[];
}

/** One op's cases against their references. */
export interface OpCheck {
  readonly op: string;
  readonly cases: number;
  readonly variants: readonly string[];
  /** What differed or did not run, a line each. */
  readonly faults: readonly string[];
}

export interface TrainOptions {
  readonly model: string;
  readonly imageSize: number;
  readonly studies: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Begin with the weights that the page reads with. */
  readonly fromWeights: boolean;
}

/** A picture of the validation split that is drawn after every epoch. */
export interface TrainPicture {
  readonly probability: number;
  readonly overlay: Blob;
}

export interface TrainEvents {
  readonly onProgress: OnProgress;
  /** Mean loss of the epoch's steps so far, after each step; `step` counts over the whole run. */
  readonly onStep: (at: { step: number; loss: number }) => void;
  /** `epoch` 0 is told before the first. */
  readonly onEpoch: (epoch: number, metrics: EpochMetrics | undefined, picture: TrainPicture) => void;
}

/** The worker's methods. Errors arrive with their name and message. */
export interface Engine {
  open(): Promise<AdapterReport>;
  useWeights(choice: WeightsChoice): Promise<WeightsReport>;
  read(name: string, bytes: Uint8Array): Promise<Reading>;
  bench(options: BenchOptions, onProgress: OnProgress): Promise<BenchReport>;
  listOps(): Promise<string[]>;
  verify(ops: readonly string[], onProgress: OnProgress, onOp: (check: OpCheck) => void): Promise<void>;
  /** Makes the data and the network; training begins with `trainOn`. */
  prepareTraining(
    options: TrainOptions,
    onProgress: OnProgress,
    onStep: TrainEvents['onStep'],
    onEpoch: TrainEvents['onEpoch'],
  ): Promise<{ images: number; steps: number }>;
  /** Trains so many epochs more, or until `stop`; returns the epochs that are complete. */
  trainOn(epochs: number): Promise<number>;
  /** Whether there is a run that `trainOn` goes on with. */
  hasTraining(): Promise<boolean>;
  trainedWeights(): Promise<{ name: string; bytes: Uint8Array }>;
  /** Ends what runs: a benchmark, a check, a training run. */
  stop(): void;
}
