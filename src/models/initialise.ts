import { fnv1a32, Random } from '../base/random.ts';
import { elementCount, type Shape } from '../base/shape.ts';

/** How an entry of the state_dict starts, by the names of torch.nn.init. */
export type Initialiser =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'truncated-normal'; readonly deviation: number; readonly bound: number }
  | { readonly kind: 'kaiming-normal'; readonly mode: 'fan-in' | 'fan-out' }
  | { readonly kind: 'kaiming-uniform'; readonly a: number };

/**
 * Initial values of the entry `key` in PyTorch's layout: a pure function of (seed, key), so that they depend neither on
 * the order of layers nor on other layers. Kaiming: He et al. 2015, gain sqrt(2) for ReLU.
 */
export function initialise(
  initialiser: Initialiser,
  key: string,
  shape: Shape,
  seed: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(elementCount(shape));
  const random = new Random(seed, fnv1a32(key));
  const receptive = elementCount(shape.slice(2));
  const fanIn = (shape[1] ?? 1) * receptive;
  switch (initialiser.kind) {
    case 'constant':
      return values.fill(initialiser.value);
    case 'uniform':
      return values.map(() => random.uniform(-initialiser.bound, initialiser.bound));
    case 'normal':
      return values.map(() => initialiser.deviation * random.normal());
    case 'truncated-normal':
      return values.map(() => truncatedNormal(random, initialiser));
    case 'kaiming-normal': {
      const fan = initialiser.mode === 'fan-in' ? fanIn : (shape[0] ?? 1) * receptive;
      const deviation = Math.sqrt(2 / fan);
      return values.map(() => deviation * random.normal());
    }
    case 'kaiming-uniform': {
      const bound = Math.sqrt(6 / ((1 + initialiser.a ** 2) * fanIn));
      return values.map(() => random.uniform(-bound, bound));
    }
  }
}

/** Drawn again until it lies within the bounds. */
function truncatedNormal(random: Random, { deviation, bound }: { deviation: number; bound: number }): number {
  for (;;) {
    const value = deviation * random.normal();
    if (Math.abs(value) <= bound) return value;
  }
}
