import type { Split } from '../../src/data/mura.ts';
import { memoryPixels, type PackedSplit } from '../../src/data/packed.ts';

/** A split of `count` images, a study each, every other one abnormal. */
export function makeSplit(count: number): Split {
  const studies = Array.from({ length: count }, (_, index) => ({
    path: `train/XR_HAND/patient${index}/study1`,
    region: 'XR_HAND',
    patient: `patient${index}`,
    label: (index % 2) as 0 | 1,
    images: [index],
  }));
  const images = studies.map(({ path, region, patient, label }, study) => {
    return { path: `${path}/image1.png`, region, patient, study, label };
  });
  return { name: 'train', images, studies };
}

/** Images of `size` x `size` whose bytes are their index; those named in `rgb` have three planes, index + plane. */
export function makePacked(count: number, size: number, rgb: readonly number[] = []): PackedSplit {
  const channels = Uint8Array.from({ length: count }, (_, index) => (rgb.includes(index) ? 3 : 1));
  const pixels = Array.from(channels, (planes, index) =>
    Uint8Array.from({ length: planes * size * size }, (_, at) => index + Math.floor(at / (size * size))),
  );
  return { split: makeSplit(count), size, pixels: memoryPixels(pixels), channels, failed: [] };
}
