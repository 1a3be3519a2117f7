/**
 * Counter-based random numbers: every draw is a pure function of (seed, stream words, counter), so that the order
 * in which images are drawn or steps are run cannot change what is drawn, and a resumed run draws the same.
 */

/** MurmurHash3's 32-bit finaliser (Appleby, public domain): a bijection of 32-bit words. */
export function fmix32(word: number): number {
  let h = word | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** 32-bit FNV-1a of a string's UTF-8 bytes. */
export function fnv1a32(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

/** Hashes any number of 32-bit words into one. */
export function hash32(...words: number[]): number {
  let h = 0x9e3779b9;
  for (const word of words) h = fmix32((h ^ fmix32(word)) + 0x9e3779b9);
  return h >>> 0;
}

/** A stream of random numbers named by its seed and stream words. */
export class Random {
  readonly #key: number;
  #counter = 0;

  constructor(...words: number[]) {
    this.#key = hash32(...words);
  }

  /** The next 32 random bits. */
  bits(): number {
    return hash32(this.#key, this.#counter++);
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.bits() / 4294967296);
  }

  /** Uniform integer in [0, count). */
  integer(count: number): number {
    return Math.floor(this.uniform(0, count));
  }

  /** Normal with mean 0 and standard deviation 1 (Box-Muller; one of the pair is used). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)] as T;
  }

  /** A random permutation of 0 ... count-1 (Fisher-Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      [order[last], order[other]] = [order[other] as number, order[last] as number];
    }
    return order;
  }
}
