import { expect, test } from 'vitest';
import { summarise } from '../../src/bench/profile.ts';
import { figuresOf } from '../../src/bench/roofline.ts';
import { rooflineData, rooflinePage } from '../../src/bench/roofline-page.ts';
import { planOfStep } from './plans.ts';

const peaks = { flops: 1e9, halfFlops: 5e8, bandwidth: 1e9 };
const parts = { library: 'const a = "</script><!--";', style: '.u-wrap { color: red; }', client: 'export {};' };

function profileOfStep() {
  const { plan, end } = planOfStep();
  const [first] = plan.launches;
  if (!first) throw new Error('the plan is empty');
  const free = { ...first, launch: { ...first.launch, entry: 'merge' }, cost: { flops: 0, bytes: 0 } };
  const launches = [...plan.launches, free];
  return summarise(
    launches,
    launches.map(() => 0.001),
    end,
    peaks,
  );
}

test('the data holds a point for each launch with a cost, by kind', () => {
  const profile = profileOfStep();
  const { kinds } = rooflineData(profile, figuresOf(peaks));
  expect(kinds.map(({ kernel }) => kernel)).not.toContain('conv2d_pixels:merge/pixels');
  const points = kinds.find(({ kernel }) => kernel === 'conv2d_pixels:forward/pixels')?.points;
  const [launch] = profile.launches;
  if (!launch) throw new Error('nothing was launched');
  expect(points).toEqual([
    {
      intensity: launch.flops / launch.bytes,
      gflops: launch.flops / 1e6,
      lines: [
        'conv2d features.conv0',
        '2x4x4x4, 3x3x4x8 -> 2x4x4x8',
        'conv2d_pixels:forward/pixels (forward)',
        expect.stringMatching(/^[\d.]+ GFLOP\/s, [\d.]+ GB\/s, 1\.000 ms$/),
        expect.stringMatching(/^[\d.]+ % of the compute peak, [\d.]+ FLOP\/B$/),
      ],
    },
  ]);
});

test('the page holds everything in itself and refers to nothing outside', () => {
  const profile = profileOfStep();
  const heading = { title: 'a <step>', notes: ["5 & 6's"] };
  const page = rooflinePage(profile, figuresOf(peaks), heading, parts);
  expect(page).toContain('<h1>a &lt;step&gt;</h1>');
  expect(page).toContain('<p>5 &amp; 6&#39;s</p>');
  expect(page).toContain(parts.style);
  expect(page).toContain("default-src 'none'");
  // uPlot throws where the browser's language is no valid locale.
  expect(page).toMatch(/<script>Object\.defineProperty\(navigator, 'language', \{ value: 'en-US' \}\);\nconst a =/);
  // What a script holds cannot end its element.
  expect(page.match(/<\/script>/g)).toHaveLength(3);
  expect(page).toContain('const a = "<\\/script><\\!--";');
  expect(page).not.toMatch(/https?:|\bsrc=|@import|url\(/);
  const [, data] = /id="data">(.*?)<\/script>/s.exec(page) ?? [];
  expect(JSON.parse(data ?? '')).toEqual(rooflineData(profile, figuresOf(peaks)));
  expect(page.match(/<tr>/g)).toHaveLength(1 + profile.kernels.length);
});

test('names in the data cannot end its element', () => {
  const profile = profileOfStep();
  const launches = profile.launches.map((launch) => ({ ...launch, layer: '</script>' }));
  const page = rooflinePage({ ...profile, launches }, figuresOf(peaks), { title: 't', notes: [] }, parts);
  expect(page.match(/<\/script>/g)).toHaveLength(3);
});
