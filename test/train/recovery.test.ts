import { expect, test, vi } from 'vitest';
import { DeviceLostError, UserError } from '../../src/base/errors.ts';
import { outlivingDevice } from '../../src/train/recovery.ts';

/** A run whose attempts do what `attempts` say, the last of them again and again; counts what happens. */
function runOf(attempts: readonly { readonly saves?: number; readonly ends: 'lost' | 'failed' | 'done' }[]) {
  const seen = { opened: 0, destroyed: 0, losses: 0, again: [] as boolean[] };
  let saves = 0;
  const result = outlivingDevice({
    async open() {
      const { ends } = attempts[Math.min(seen.opened, attempts.length - 1)] ?? { ends: 'done' };
      seen.opened++;
      return { device: { isLost: async () => ends === 'lost', destroy: () => void seen.destroyed++ } };
    },
    async attempt(_, again) {
      const { saves: made = 0, ends } = attempts[Math.min(seen.opened, attempts.length) - 1] ?? { ends: 'done' };
      seen.again.push(again);
      saves += made;
      if (ends !== 'done') throw new UserError(ends);
      return saves;
    },
    saved: () => saves,
    onLoss: () => void seen.losses++,
  });
  return { result, seen };
}

test('a run that loses its device goes on with another', async () => {
  const { result, seen } = runOf([{ saves: 2, ends: 'lost' }, { ends: 'lost' }, { saves: 1, ends: 'done' }]);
  expect(await result).toBe(3);
  expect(seen).toEqual({ opened: 3, destroyed: 2, losses: 2, again: [false, true, true] });
});

test('four losses with nothing saved between are too many', async () => {
  const { result, seen } = runOf([{ saves: 5, ends: 'lost' }, { ends: 'lost' }]);
  await expect(result).rejects.toThrow(DeviceLostError);
  await expect(result).rejects.toThrow('the GPU device was lost 4 times with nothing saved between');
  expect(seen.opened).toBe(4);
});

test('losses do not add up while the run gets on', async () => {
  const lost = Array.from({ length: 20 }, () => ({ saves: 1, ends: 'lost' as const }));
  const { result, seen } = runOf([...lost, { ends: 'done' }]);
  expect(await result).toBe(20);
  expect(seen.losses).toBe(20);
});

test('any other error ends the run', async () => {
  const { result, seen } = runOf([{ saves: 1, ends: 'failed' }]);
  await expect(result).rejects.toThrow('failed');
  expect(seen).toMatchObject({ opened: 1, destroyed: 0, losses: 0 });
});

test('an error that comes before the loss is told waits for it', async () => {
  const device = { isLost: vi.fn(async () => true), destroy: () => {} };
  const attempt = vi.fn().mockRejectedValueOnce(new Error('mapping failed')).mockResolvedValue('done');
  const result = outlivingDevice({ open: async () => ({ device }), attempt, saved: () => 0, onLoss: () => {} });
  expect(await result).toBe('done');
  expect(device.isLost).toHaveBeenCalledTimes(1);
});
