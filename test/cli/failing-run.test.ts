import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import type { Context } from '../../src/cli/command.ts';
import { defaultsOf } from '../../src/cli/options.ts';
import { run } from '../../src/cli/train.ts';
import { Device } from '../../src/gpu/device.ts';
import { nodeFiles } from '../../src/io/node.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { makeSet } from './murad.ts';

const folder = temporaryFolder();
beforeAll(() => makeSet(folder));
afterEach(() => vi.restoreAllMocks());

/** Trains an epoch of three steps in this process; `onStep` sees the images that are done and the device in use. */
async function train(name: string, onStep: (at: { images: number; device: Device }) => void = () => {}) {
  const opened: Device[] = [];
  const open = Device.open.bind(Device);
  vi.spyOn(Device, 'open').mockImplementation(async (...words) => {
    const device = await open(...words);
    opened.push(device);
    return device;
  });
  const notes: string[] = [];
  const context: Context = {
    note: (line) => void notes.push(line),
    progress: (label) => ({
      update: (images) => {
        if (label.startsWith('epoch')) onStep({ images, device: opened.at(-1) as Device });
      },
      end() {},
    }),
    isGiven: () => false,
    interruption: () => new AbortController().signal,
  };
  const adapter = process.env.MURAD_TEST_ADAPTER;
  const options = {
    ...defaultsOf('train'),
    ...(adapter ? { adapter } : {}),
    data: join(folder, 'set'),
    model: 'mobilenet_v2',
    imageSize: 32,
    batchSize: 4,
    limit: 12,
    epochs: 1,
    // A save after every step.
    saveMinutes: 1e-6,
    out: join(folder, name),
  };
  try {
    await run(options, context);
  } finally {
    vi.restoreAllMocks();
  }
  const bytes = ['best', 'last'].map((file) => readFileSync(join(folder, name, `${file}.safetensors`)));
  return { notes, bytes, opened: opened.length };
}

describeOnFastAdapter('a GPU that goes away while it trains', () => {
  test('is opened again, and the run ends with the same bytes', async () => {
    const whole = await train('whole');
    expect(whole.opened).toBe(1);
    let losses = 0;
    const lost = await train('lost', ({ images, device }) => {
      // Each device is lost after its second step, as far as a device does two.
      if (images < 8 || losses >= 2) return;
      losses++;
      device.gpu.destroy();
    });
    expect(lost.opened).toBe(3);
    const told = 'the GPU device was lost: it is opened again, and the run goes on from its last save';
    expect(lost.notes.filter((line) => line === told)).toHaveLength(2);
    expect(lost.bytes.map((bytes, index) => bytes.equals(whole.bytes[index] as Buffer))).toEqual([true, true]);
  });

  test('and that goes away again and again ends the run, which keeps its last save', async () => {
    const failed = train('gone', ({ images, device }) => {
      if (images >= 8) device.gpu.destroy();
    });
    await expect(failed).rejects.toThrow(
      /^the GPU device was lost 4 times with nothing saved between: the run folder keeps step 1 of epoch 1; go on with murad train --resume .+gone$/,
    );
  });
});

test('a full disk ends the run, which keeps its last save', async () => {
  const write = nodeFiles.writeAtomic.bind(nodeFiles);
  let states = 0;
  vi.spyOn(nodeFiles, 'writeAtomic').mockImplementation(async (path, content) => {
    if (path.endsWith('/state.safetensors') && ++states === 2)
      throw new UserError(`cannot write ${path}: no space left on the device`);
    await write(path, content);
  });
  await expect(train('full')).rejects.toThrow(
    /^cannot write .+full\/state\.safetensors: no space left on the device: the run folder keeps step 1 of epoch 1; go on with murad train --resume .+full$/,
  );
});
