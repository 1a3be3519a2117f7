import { expect, test } from 'vitest';
import { summarise } from '../../src/bench/profile.ts';
import { traceOf, traceOfTracks } from '../../src/bench/trace-events.ts';
import { planOfStep } from './plans.ts';

test('a trace has a track a phase and the launches end to end, in microseconds', () => {
  const { plan, end } = planOfStep();
  const peaks = { flops: 1e9, halfFlops: null, bandwidth: 1e9 };
  const seconds = plan.launches.map((_, index) => 0.001 * (index + 1));
  const { launches } = summarise(plan.launches, seconds, end, peaks);
  const trace = traceOf(launches, 'a step', { driver: 'none' });
  expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
  expect(trace).toMatchObject({ displayTimeUnit: 'ms', otherData: { driver: 'none' } });
  const names = trace.traceEvents.filter(({ ph }) => ph === 'M');
  expect(names.map(({ name, tid, args }) => [name, tid, args])).toEqual([
    ['process_name', 0, { name: 'a step' }],
    ['thread_name', 1, { name: 'forward' }],
    ['thread_name', 2, { name: 'backward' }],
    ['thread_name', 3, { name: 'optimiser' }],
  ]);
  const events = trace.traceEvents.filter(({ ph }) => ph === 'X');
  expect(events.map(({ tid }) => tid)).toEqual([1, 1, 2, 2, 3]);
  let at = 0;
  for (const [index, { ts, dur }] of events.entries()) {
    expect([ts, dur]).toEqual([expect.closeTo(at, 6), expect.closeTo(1000 * (index + 1), 6)]);
    at += 1000 * (index + 1);
  }
  expect(events[0]).toMatchObject({
    name: 'conv2d features.conv0',
    cat: 'conv2d_pixels:forward/pixels',
    args: {
      layer: 'features.conv0',
      sizes: '2x4x4x4, 3x3x4x8 -> 2x4x4x8',
      flops: plan.launches[0]?.cost.flops,
      bytes: plan.launches[0]?.cost.bytes,
      limit: 'compute',
    },
  });
  expect(events[4]?.name).toBe('adam');
});

test('an inference has a forward track alone', () => {
  const { plan, end } = planOfStep();
  const peaks = { flops: 1e9, halfFlops: null, bandwidth: 1e9 };
  const { launches } = summarise(plan.launches.slice(0, 2), [1, 1], end, peaks);
  const { traceEvents } = traceOf(launches, 'an inference', {});
  expect(traceEvents.filter(({ name }) => name === 'thread_name')).toHaveLength(1);
});

test('a trace of tracks has their spans in microseconds, each on its track', () => {
  const span = (start: number) => ({ name: `from ${start}`, start, ms: 2 });
  const tracks = [
    { name: 'read', spans: [span(0), span(5)] },
    { name: 'step', spans: [{ ...span(1), category: 'GPU', args: { batch: 3 } }] },
  ];
  const { traceEvents, otherData } = traceOfTracks(tracks, 'feeding', { driver: 'none' });
  expect(otherData).toEqual({ driver: 'none' });
  const common = { ph: 'X', pid: 1, dur: 2000 };
  expect(traceEvents.filter(({ ph }) => ph === 'X')).toEqual([
    { ...common, name: 'from 0', tid: 1, ts: 0, args: {} },
    { ...common, name: 'from 5', tid: 1, ts: 5000, args: {} },
    { ...common, name: 'from 1', cat: 'GPU', tid: 2, ts: 1000, args: { batch: 3 } },
  ]);
  expect(traceEvents.filter(({ ph }) => ph === 'M').map(({ name, tid, args }) => [name, tid, args])).toEqual([
    ['process_name', 0, { name: 'feeding' }],
    ['thread_name', 1, { name: 'read' }],
    ['thread_name', 2, { name: 'step' }],
  ]);
});
