import { version } from '../../../package.json';
import { UserError } from '../../../src/base/errors.ts';
import { interleave, type Run, single, type Timing } from '../../../src/bench/interleave.ts';
import { benchCase, type KernelResult, kernelCases } from '../../../src/bench/kernels.ts';
import { figuresOf } from '../../../src/bench/roofline.ts';
import { benchBatch } from '../../../src/bench/step.ts';
import { measurePeaks } from '../../../src/gpu/peaks.ts';
import type { ImageBatch } from '../../../src/models/images.ts';
import { findModel } from '../../../src/models/index.ts';
import { Inference } from '../../../src/models/inference.ts';
import { Model } from '../../../src/models/model.ts';
import type { BrowserConditions, StepReport } from '../bench-report.ts';
import type { BenchOptions, BenchReport, OnProgress } from '../engine-api.ts';
import type { Opened } from './session.ts';

const MODEL = 'densenet121';
/** Images of the training step whose convolutions are timed. */
const KERNEL_BATCH = { hardware: 8, software: 2 } as const;
/** Browsers round clocks to 0.1 ms: what is timed is repeated until it takes this long, in seconds. */
const LONG_ENOUGH = 0.05;
const MOST_REPEATS = 64;

function conditionsOf({ adapter, device }: Opened): BrowserConditions {
  const { name, kind, driver } = adapter;
  return {
    date: new Date().toISOString(),
    version,
    adapter: name,
    kind,
    driver,
    browser: navigator.userAgent,
    platform: navigator.platform,
    cores: navigator.hardwareConcurrency,
    features: [...device.gpu.features].sort(),
  };
}

/** Seconds of one run out of `repeats` that are queued one after the other. */
const repeated =
  (inference: Inference, batch: ImageBatch, repeats: number): Run =>
  async () => {
    const start = performance.now();
    let last = await inference.run(batch);
    for (let run = 1; run < repeats; run++) {
      const next = await inference.run(batch);
      await last.value;
      last = next;
    }
    await last.value;
    return (performance.now() - start) / 1000 / repeats;
  };

async function timeInference(inference: Inference, batch: ImageBatch, rounds: number): Promise<Timing> {
  const once = repeated(inference, batch, 1);
  await once();
  const seconds = await once();
  if (rounds === 1 && seconds > LONG_ENOUGH) return single(seconds);
  const repeats = Math.min(MOST_REPEATS, Math.ceil(LONG_ENOUGH / Math.max(seconds, 1e-4)));
  const [timing = single(seconds)] = await interleave([repeated(inference, batch, repeats)], rounds);
  return timing;
}

async function benchInference({ device }: Opened, imageSize: number, rounds: number): Promise<StepReport> {
  const model = new Model(device, findModel(MODEL));
  let inference: Inference | undefined;
  try {
    inference = await Inference.create(model, { batchSize: 1, imageSize, channels: 1 });
    const batch = benchBatch({ batchSize: 1, imageSize });
    const { median, lower, upper, runs } = await timeInference(inference, batch, rounds);
    const flops = inference.program.plan.launches.reduce((sum, { cost }) => sum + cost.flops, 0);
    return {
      image_size: imageSize,
      batch_size: 1,
      median_ms: 1000 * median,
      lower_ms: 1000 * lower,
      upper_ms: 1000 * upper,
      runs,
      ms_per_image: 1000 * median,
      images_per_s: 1 / median,
      gflops: flops / median / 1e9,
      planned_bytes: inference.bytes,
    };
  } finally {
    await inference?.destroy();
    model.destroy();
  }
}

/** Times DenseNet-121's inference, and the convolutions of its training step, each variant that a plan takes. */
export async function bench(
  opened: Opened,
  { inferenceSizes, kernelSize, rounds }: BenchOptions,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<BenchReport> {
  const { device } = opened;
  const conditions = conditionsOf(opened);
  const batchSize = KERNEL_BATCH[device.traits.kind];
  const sizes = kernelSize === undefined ? undefined : { imageSize: kernelSize, batchSize };
  const cases = sizes ? kernelCases([findModel(MODEL)], sizes) : [];
  const total = 1 + inferenceSizes.length + cases.length;
  let done = 0;
  const next = (what: string) => {
    signal.throwIfAborted();
    onProgress({ done: done++, total, what });
  };
  next('the peaks of this adapter');
  const peaks = await measurePeaks(device);
  const inference: StepReport[] = [];
  for (const size of inferenceSizes) {
    next(`inference at ${size} px`);
    inference.push(await benchInference(opened, size, rounds));
  }
  const kernels: KernelResult[] = [];
  for (const one of cases) {
    next(one.name);
    try {
      kernels.push(...(await benchCase(device, one, { rounds, peaks, usedOnly: true })));
    } catch (error) {
      // Too large for this adapter.
      if (!(error instanceof UserError)) throw error;
    }
  }
  onProgress({ done: total, total, what: 'done' });
  return {
    conditions,
    model: MODEL,
    image_size: kernelSize ?? null,
    batch_size: batchSize,
    rounds,
    peaks: figuresOf(peaks),
    inference,
    kernels,
  };
}
