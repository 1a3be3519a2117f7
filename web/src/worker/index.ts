/** The worker that holds the GPU: the page asks it through Comlink, so that nothing here makes the page wait. */
import { expose, transfer } from 'comlink';
import { UserError } from '../../../src/base/errors.ts';
import type { AdapterReport, Engine } from '../engine-api.ts';
import { Reader } from './reader.ts';
import { type Opened, Session } from './session.ts';
import type { Trainer } from './trainer.ts';

/** Told to the page beside Comlink's own messages. */
export interface DeviceLost {
  readonly type: 'device lost';
  readonly message: string;
}

const session = new Session((message) => self.postMessage({ type: 'device lost', message } satisfies DeviceLost));
const reader = new Reader();
let trainer: { readonly opened: Opened; readonly run: Trainer } | undefined;
let running = new AbortController();
let queue: Promise<unknown> = Promise.resolve();

/** One task after the other: they share a device. */
function queued<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const result = queue.then(() => {
    running = new AbortController();
    return task(running.signal);
  });
  queue = result.catch(() => undefined);
  return result;
}

const onDevice = <T>(task: (opened: Opened, signal: AbortSignal) => Promise<T>): Promise<T> =>
  queued((signal) => session.run((opened) => task(opened, signal)));

function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') found[name] = value;
  }
  return found;
}

const engine: Engine = {
  open: () =>
    onDevice(async ({ adapter, device }): Promise<AdapterReport> => {
      const { name, kind, driver } = adapter;
      const features = [...device.gpu.features].sort();
      return { name, kind, driver, features, limits: limitsOf(device.gpu.limits) };
    }),
  useWeights: (choice) => onDevice((opened) => reader.use(opened, choice)),
  read: (name, bytes) =>
    onDevice(async (opened) => {
      const reading = await reader.read(opened, name, bytes);
      return transfer(reading, [reading.map.values.buffer as ArrayBuffer]);
    }),
  bench: (options, onProgress) =>
    onDevice(async (opened, signal) => (await import('./bench.ts')).bench(opened, options, onProgress, signal)),
  listOps: async () => (await import('./verify.ts')).opNames(),
  verify: (ops, onProgress, onOp) =>
    onDevice(async (opened, signal) => (await import('./verify.ts')).verify(opened, ops, { onProgress, onOp }, signal)),
  prepareTraining: (options, onProgress, onStep, onEpoch) =>
    onDevice(async (opened, signal) => {
      const weights = options.fromWeights ? reader.weights : undefined;
      if (options.fromWeights && !weights) {
        throw new UserError('no weights are loaded yet: open the Read page first, or begin with random weights');
      }
      await trainer?.run.destroy();
      trainer = undefined;
      const { Trainer: Run } = await import('./trainer.ts');
      const run = await Run.create(opened.device, options, weights, { onProgress, onStep, onEpoch }, signal);
      trainer = { opened, run };
      return { images: run.images, steps: run.steps };
    }),
  trainOn: (epochs) =>
    queued(async (signal) => {
      const { opened, run } = await currentTrainer();
      try {
        return await run.run(epochs, signal);
      } catch (error) {
        if (!(await opened.device.isLost())) throw error;
        throw new UserError('the GPU was reset by the system or the browser while it trained: start again');
      }
    }),
  hasTraining: async () => trainer !== undefined && trainer.opened === (await session.open()),
  trainedWeights: () =>
    queued(async () => {
      const { name, bytes } = await (await currentTrainer()).run.weights();
      return transfer({ name, bytes }, [bytes.buffer as ArrayBuffer]);
    }),
  stop: () => running.abort(new UserError('stopped')),
};

async function currentTrainer(): Promise<NonNullable<typeof trainer>> {
  if (trainer && (await session.open()) === trainer.opened) return trainer;
  trainer = undefined;
  throw new UserError('the training run is gone, since the GPU was reset: start again');
}

expose(engine);
