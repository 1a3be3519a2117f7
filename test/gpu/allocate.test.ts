import { expect, test, vi } from 'vitest';
import { InternalError, OutOfMemoryError } from '../../src/base/errors.ts';
import { Arena } from '../../src/graph/arena.ts';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { useDevice } from '../support/use-device.ts';

const MIB = 2 ** 20;
const device = useDevice({ memoryBytes: 64 * MIB });
const buffers = (...sizes: number[]) =>
  sizes.map((bytes) => device().createBuffer('some', bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST));

test('buffers within the limit are made', async () => {
  const made = await device().allocate(() => buffers(16 * MIB, 48 * MIB));
  expect(device().live).toEqual({ buffers: 2, bytes: 64 * MIB });
  for (const buffer of made) device().destroyBuffer(buffer);
});

test('past the limit none is, and the error says what there is', async () => {
  const refused = device().allocate(() => buffers(1024 * MIB));
  await expect(refused).rejects.toBeInstanceOf(OutOfMemoryError);
  await expect(device().allocate(() => buffers(48 * MIB, 32 * MIB))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[OutOfMemoryError: some needs 32 MiB beside the 48 MiB in use, of at most 64 MiB on this adapter: use a smaller --image-size, --batch-size or --micro-batch]`,
  );
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});

test('an error of the caller is its own, and leaves nothing', async () => {
  const failed = device().allocate(() => {
    buffers(16);
    throw new Error('of the caller');
  });
  await expect(failed).rejects.toThrow('of the caller');
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});

test('an arena is made whole or not at all, within an allocation too', async () => {
  const layout = { chunks: [4 * MIB, 8 * MIB, 8 * MIB], places: new Map() };
  const arena = () => new Arena(device(), 'some', layout);
  expect(arena).toThrow(OutOfMemoryError);
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
  const failed = device().allocate(() => {
    buffers(16);
    arena();
  });
  await expect(failed).rejects.toThrow('some needs 32 MiB beside the 48 MiB in use');
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});

test('a network, and the state of Adam, is made whole or not at all', () => {
  const { live } = device();
  /** Makes it where 16 bytes are missing. */
  const expectNone = (make: () => { destroy(): void }) => {
    const before = live.bytes;
    const made = make();
    const needed = live.bytes - before;
    made.destroy();
    const ballast = buffers(64 * MIB - before - needed + 16);
    const held = { ...live };
    expect(make).toThrow(OutOfMemoryError);
    expect(live).toEqual(held);
    for (const buffer of ballast) device().destroyBuffer(buffer);
  };
  const makeModel = () => new Model(device(), findModel('mobilenet_v2'), { initialise: false });
  expectNone(makeModel);
  const model = makeModel();
  expectNone(() => new AdamState(model));
  model.destroy();
});

test('memory that the GPU does not give is an OutOfMemoryError, and leaves nothing', async () => {
  const { gpu } = device();
  const pop = gpu.popErrorScope.bind(gpu);
  // A software driver promises any memory, so the innermost scope's answer is made up.
  const answer = vi.spyOn(gpu, 'popErrorScope').mockImplementationOnce(async () => {
    expect(await pop()).toBeNull();
    return { message: 'made up' } as GPUOutOfMemoryError;
  });
  await expect(device().allocate(() => buffers(16 * MIB, 16 * MIB))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[OutOfMemoryError: the GPU has no 32 MiB left: use a smaller --image-size, --batch-size or --micro-batch]`,
  );
  expect(answer).toHaveBeenCalledTimes(2);
  answer.mockRestore();
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});

test('a buffer that WebGPU finds invalid is a fault of this library', async () => {
  const made = device().allocate(() => device().createBuffer('some', 16, 0));
  await expect(made).rejects.toBeInstanceOf(InternalError);
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});
