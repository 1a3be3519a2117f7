import type { Point } from './geometry.ts';

/** A round change of bone density. Scene units. */
export interface Lesion {
  readonly centre: Point;
  readonly radius: number;
  /** Long axis over short axis, and the long axis's direction in radians. */
  readonly stretch: number;
  readonly angle: number;
  /** Unevenness of the outline as a share of the radius. */
  readonly wobble: number;
  readonly phase: number;
  /** Bone density inside is multiplied by 1 + gain. */
  readonly gain: number;
  /** Bone density at the edge is multiplied by 1 + rim. */
  readonly rim: number;
  /** Attenuation of a thin shell that goes on outside the bone. */
  readonly shell: number;
}
