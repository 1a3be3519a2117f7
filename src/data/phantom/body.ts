import type { Random } from '../../base/random.ts';
import type { Bone } from './bone.ts';
import type { Point } from './geometry.ts';

/** Soft tissue: a tapered limb with round ends. Body units. */
export interface Limb {
  readonly from: Point;
  readonly to: Point;
  readonly fromRadius: number;
  readonly toRadius: number;
  readonly density: number;
}

/** What differs between patients. Every field is the same in all views of a study. */
export interface Build {
  /** Factor on the widths of bones. */
  readonly stoutness: number;
  /** Factor on the widths of soft tissue. */
  readonly softness: number;
  readonly cortex: number;
  readonly medulla: number;
  /** Open growth plates. */
  readonly child: boolean;
  /** Small deviations of each bone: call with the bone's name. */
  readonly vary: (name: string, spread: number) => number;
}

/** What differs between the views of a study. */
export interface Pose {
  /** 0: seen from the front, 1: from the side. */
  readonly obliquity: number;
  /** Bend of the elbow in radians. */
  readonly flexion: number;
  /** Spread of the fingers, about 1. */
  readonly fan: number;
  /** Fingers in the picture, thumb 0 to little finger 4. */
  readonly rays: readonly number[];
}

export interface Body {
  readonly bones: readonly Bone[];
  readonly tissue: readonly Limb[];
}

/** Draws a patient. `keyed` gives each bone a number in [-1, 1) of its own that does not change between views. */
export function drawBuild(random: Random, keyed: (name: string) => number): Build {
  return {
    stoutness: random.uniform(0.9, 1.12),
    softness: random.uniform(0.88, 1.2),
    cortex: random.uniform(0.26, 0.42),
    medulla: random.uniform(0.2, 0.36),
    child: random.chance(0.14),
    vary: (name, spread) => 1 + spread * keyed(name),
  };
}
