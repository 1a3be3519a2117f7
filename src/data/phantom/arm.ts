import type { Build, Limb, Pose } from './body.ts';
import { type Bone, type Knot, makeBone } from './bone.ts';
import { type Point, rotateAbout } from './geometry.ts';

/** The elbow's axis of bending. */
const ELBOW: Point = { x: 0, y: 1.46 };
/** Centre of the head of the humerus in an arm held straight. */
const SHOULDER: Point = { x: 0.02, y: 2.84 };

/** Where a point of the upper arm comes to lie when the elbow is bent. */
export function bendElbow(point: Point, pose: Pose): Point {
  return rotateAbout(point, ELBOW, pose.flexion);
}

/** Half widths of a bone, factor for stoutness and own deviation applied. */
function scaled(knots: readonly Knot[], factor: number): Knot[] {
  return knots.map(([t, left, right]) => [t, left * factor, right * factor]);
}

function radius(build: Build, squeeze: number): Bone {
  const factor = build.stoutness * build.vary('radius', 0.06);
  return makeBone({
    name: 'radius',
    from: { x: -0.034 * squeeze, y: 0.246 },
    to: { x: -0.062 * squeeze, y: 1.405 },
    knots: scaled(
      [
        [0, 0.068, 0.056],
        [0.03, 0.066, 0.056],
        [0.16, 0.037, 0.036],
        [0.5, 0.034, 0.036],
        [0.84, 0.036, 0.05],
        [0.88, 0.05, 0.042],
        [0.94, 0.037, 0.036],
        [0.975, 0.05, 0.05],
        [1, 0.05, 0.05],
      ],
      factor,
    ),
    caps: [0.025, 0.012],
    bow: 0.045 * squeeze * build.vary('radius-bow', 0.4),
    cortex: build.cortex,
    medulla: build.medulla,
    growthPlates: build.child ? [0.045, 0.962] : [],
  });
}

function ulna(build: Build, squeeze: number): Bone {
  const factor = build.stoutness * build.vary('ulna', 0.06);
  return makeBone({
    name: 'ulna',
    from: { x: 0.055 * squeeze, y: 0.262 },
    to: { x: 0.022 * squeeze, y: 1.545 },
    knots: scaled(
      [
        [0, 0.026, 0.034],
        [0.03, 0.028, 0.034],
        [0.12, 0.024, 0.025],
        [0.5, 0.031, 0.033],
        [0.8, 0.044, 0.044],
        [0.88, 0.07, 0.06],
        [0.93, 0.056, 0.058],
        [1, 0.052, 0.056],
      ],
      factor,
    ),
    caps: [0.018, 0.03],
    bow: -0.022 * squeeze,
    cortex: build.cortex,
    medulla: build.medulla,
    growthPlates: build.child ? [0.04] : [],
  });
}

function humerus(build: Build, pose: Pose): Bone {
  const factor = build.stoutness * build.vary('humerus', 0.06);
  const condyles = 1 - 0.4 * pose.obliquity;
  return makeBone({
    name: 'humerus',
    from: bendElbow({ x: -0.005, y: 1.425 }, pose),
    to: bendElbow({ x: 0.01, y: 2.94 }, pose),
    knots: scaled(
      [
        [0, 0.095 * condyles, 0.1 * condyles],
        [0.02, 0.1 * condyles, 0.11 * condyles],
        [0.042, 0.118 * condyles, 0.145 * condyles],
        [0.065, 0.1 * condyles, 0.118 * condyles],
        [0.125, 0.07, 0.072],
        [0.22, 0.06, 0.06],
        [0.75, 0.064, 0.066],
        [0.86, 0.085, 0.09],
        [0.925, 0.12, 0.15],
        [0.96, 0.115, 0.16],
        [1, 0.11, 0.16],
      ],
      factor,
    ),
    caps: [0.025, 0.08],
    cortex: build.cortex,
    medulla: build.medulla,
    growthPlates: build.child ? [0.055, 0.9] : [],
  });
}

/** Radius, ulna and humerus. */
export function armBones(build: Build, pose: Pose): Bone[] {
  const squeeze = 1 - 0.7 * pose.obliquity;
  return [humerus(build, pose), ulna(build, squeeze), radius(build, squeeze)];
}

/** Forearm and upper arm. */
export function armTissue(build: Build, pose: Pose): Limb[] {
  const width = build.softness;
  const limb = (from: Point, to: Point, fromRadius: number, toRadius: number): Limb => ({
    from,
    to,
    fromRadius: fromRadius * width,
    toRadius: toRadius * width,
    density: 1,
  });
  const narrow = 1 - 0.15 * pose.obliquity;
  const belly: Point = { x: 0, y: 1.1 };
  return [
    limb({ x: 0, y: 0.25 }, { x: 0, y: 0.6 }, 0.105 * narrow, 0.13 * narrow),
    limb({ x: 0, y: 0.6 }, belly, 0.13 * narrow, 0.19 * narrow),
    limb(belly, ELBOW, 0.19 * narrow, 0.17),
    limb(ELBOW, bendElbow({ x: 0, y: 2.1 }, pose), 0.17, 0.2),
    limb(bendElbow({ x: 0, y: 2.1 }, pose), bendElbow(SHOULDER, pose), 0.2, 0.26),
  ];
}
