import type { ImageRecord } from '../data/mura.ts';

/** How much an abnormal and a normal image of a region count in the loss. */
export interface ClassWeights {
  readonly abnormal: number;
  readonly normal: number;
}

/**
 * The weights of MURA's loss (Rajpurkar et al. 2018, https://arxiv.org/abs/1712.06957, section 3): with A abnormal and N
 * normal training images of a region, an abnormal one counts N / (A + N) and a normal one A / (A + N).
 */
export function classWeights(images: readonly ImageRecord[]): ReadonlyMap<string, ClassWeights> {
  const counts = new Map<string, { abnormal: number; normal: number }>();
  for (const { region, label } of images) {
    const count = counts.get(region) ?? { abnormal: 0, normal: 0 };
    count[label === 1 ? 'abnormal' : 'normal']++;
    counts.set(region, count);
  }
  return new Map(
    [...counts].map(([region, { abnormal, normal }]) => {
      const all = abnormal + normal;
      return [region, { abnormal: normal / all, normal: abnormal / all }];
    }),
  );
}

/** The weight of each image, in their order. */
export function imageWeights(images: readonly ImageRecord[]): Float32Array {
  const weights = classWeights(images);
  return Float32Array.from(images, ({ region, label }) => {
    const own = weights.get(region) as ClassWeights;
    return label === 1 ? own.abnormal : own.normal;
  });
}
