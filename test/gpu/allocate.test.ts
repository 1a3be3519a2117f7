import { expect, test, vi } from 'vitest';
import { InternalError, OutOfMemoryError } from '../../src/base/errors.ts';
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
