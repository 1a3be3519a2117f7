import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { encodeNodePng } from '../../src/io/node-png.ts';
import { makeSet, murad } from '../cli/murad.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { describeWithPyTorch } from '../support/adapter.ts';
import { usePyTorch } from './pytorch.ts';

const SIZE = 32;
const MODEL = 'mobilenet_v2';
/** Two epochs and a step. */
const WORDS = `--data set --model ${MODEL} --image-size ${SIZE} --batch-size 4 --limit 8 --epochs 3 --max-steps 5`;
/** Allowed multiple of the distance of PyTorch's own float32 from float64. */
const NOISE = 10;

/** A picture in colours, wider than high. */
async function colourPng(): Promise<Uint8Array> {
  const [width, height] = [61, 40];
  const random = new Random(0);
  const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => (at % 3) * 60 + random.integer(120));
  return encodeNodePng({ width, height, channels: 3, data });
}

describeWithPyTorch('a run folder', () => {
  const pytorch = usePyTorch();
  const folder = temporaryFolder();

  test('predicts what PyTorch makes of its weights and of the same files', async () => {
    await makeSet(folder);
    // From weights that tell images apart, as fresh ones do not after few steps.
    await pytorch().ask('save', { model: MODEL, file: join(folder, 'start.pth') });
    const words = [...WORDS.split(' '), '--pretrained', 'start.pth', '--out', 'run'];
    expect(await murad(folder, 'train', ...words)).toMatchObject({ code: 0 });
    const images = readFileSync(join(folder, 'set/valid_image_paths.csv'), 'utf8').trimEnd().split('\n');
    writeFileSync(join(folder, 'colour.png'), await colourPng());
    images.push('colour.png');
    for (const [run, weights] of [
      ['run', 'run/best.safetensors'],
      ['run/last.safetensors', 'run/last.safetensors'],
    ] as const) {
      const { code, stdout, stderr } = await murad(folder, 'predict', run, ...images, '--json');
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const { predictions } = JSON.parse(stdout) as { predictions: { image: string; probability: number }[] };
      expect(predictions.map(({ image }) => image)).toEqual(images);
      const found = predictions.map(({ probability }) => probability);
      const file = join(folder, weights);
      const { probabilities, noise } = await pytorch().ask('predict', {
        model: MODEL,
        file,
        images: images.map((image) => join(folder, image)),
        size: SIZE,
      });
      const error = Math.max(...probabilities.map((value, index) => Math.abs(value - (found[index] as number))));
      const spread = Math.max(...probabilities) - Math.min(...probabilities);
      console.log(`${weights}: off by ${error}, PyTorch's float32 by ${noise}; the images differ by ${spread}`);
      expect(error).toBeLessThanOrEqual(NOISE * noise);
      expect(spread).toBeGreaterThan(100 * NOISE * noise);
    }
  });
});
