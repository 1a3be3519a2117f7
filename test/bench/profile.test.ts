import { expect, test } from 'vitest';
import { summarise } from '../../src/bench/profile.ts';
import { planOfStep } from './plans.ts';

const peaks = { flops: 1e9, halfFlops: null, bandwidth: 1e9 };

test('launches have their phase, sizes and rate, and add up by kind and by use of an op', () => {
  const { plan, end } = planOfStep();
  const seconds = plan.launches.map((_, index) => 0.001 * (index + 1));
  const { launches, kernels, layers, total } = summarise(plan.launches, seconds, end, peaks);
  expect(launches.map(({ op, phase, kernel }) => [op, phase, kernel])).toEqual([
    ['conv2d', 'forward', 'conv2d_pixels:forward/pixels'],
    ['activation', 'forward', 'elementwise:activate/rows'],
    ['activation_gradient', 'backward', 'elementwise:activate_gradient/rows'],
    ['conv2d_weight_gradient', 'backward', 'conv2d_weight_gradient_lanes:weight_gradient/lanes'],
    ['adam', 'optimiser', 'adam:adam/elements'],
  ]);
  // 2 images of 4 x 4 pixels, 9 taps, 4 x 8 channels, a multiply-accumulate is 2 flops.
  const flops = 2 * 2 * 16 * 9 * 4 * 8;
  expect(launches[0]).toMatchObject({
    layer: 'features.conv0',
    sizes: '2x4x4x4, 3x3x4x8 -> 2x4x4x8',
    ms: 1,
    flops,
    gflops: flops / 1e6,
    share_of_peak: flops / 1e6,
    limit: 'compute',
  });
  expect(launches[4]).toMatchObject({ layer: '', sizes: '3x3x4x8' });
  expect(total).toMatchObject({ launches: 5, ms: expect.closeTo(15, 9), share_of_time: 1 });
  expect(kernels.map(({ kernel }) => kernel)).toEqual(launches.map(({ kernel }) => kernel).reverse());
  expect(layers.map(({ op, share_of_time }) => [op, share_of_time * 15])).toEqual(
    launches.map(({ op }, index) => [op, expect.closeTo(index + 1, 9)]).reverse(),
  );
});

test('launches of one kind and launches of one op are added up', () => {
  const { plan, end } = planOfStep();
  const [first] = plan.launches;
  if (!first) throw new Error('the plan is empty');
  const helper = { ...first, launch: { ...first.launch, entry: 'merge' }, cost: { flops: 0, bytes: 0 } };
  const again = { ...first, node: { ...first.node, scope: 'features.conv1' } };
  const { kernels, layers } = summarise([first, helper, again], [0.001, 0.002, 0.004], end, peaks);
  expect(kernels).toMatchObject([
    { kernel: 'conv2d_pixels:forward/pixels', launches: 2, ms: 5, gflops: (2 * first.cost.flops) / 5e6 },
    { kernel: 'conv2d_pixels:merge/pixels', launches: 1, ms: 2, gflops: null, limit: null },
  ]);
  expect(layers).toMatchObject([
    { layer: 'features.conv1', launches: 1, ms: 4 },
    { layer: 'features.conv0', launches: 2, ms: 3, gflops: first.cost.flops / 3e6 },
  ]);
});
