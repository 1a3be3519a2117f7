import { bendElbow } from './arm.ts';
import type { Build, Limb, Pose } from './body.ts';
import { type Bone, type BoneShape, type Knot, makeBone } from './bone.ts';
import type { Point } from './geometry.ts';

const RIBS = 6;

/** Bones of the trunk's side of the shoulder: name, ends, half widths, and what sets them apart. */
const GIRDLE: readonly BoneShape[] = [
  {
    name: 'scapula',
    from: { x: 0.17, y: 2.84 },
    to: { x: 0.52, y: 2.3 },
    knots: [
      [0, 0.09, 0.07],
      [0.15, 0.07, 0.06],
      [0.4, 0.16, 0.13],
      [0.75, 0.2, 0.07],
      [1, 0.08, 0.04],
    ],
    caps: [0.04, 0.2],
    density: 0.36,
    medulla: 0.8,
    cortex: 0.18,
  },
  {
    name: 'acromion',
    from: { x: -0.07, y: 3.03 },
    to: { x: 0.42, y: 2.9 },
    knots: [
      [0, 0.045, 0.045],
      [0.3, 0.05, 0.05],
      [0.7, 0.03, 0.03],
      [1, 0.03, 0.03],
    ],
    caps: [0.12, 0.1],
    bow: 0.03,
    density: 0.65,
  },
  {
    name: 'coracoid',
    from: { x: 0.13, y: 2.96 },
    to: { x: 0.28, y: 2.98 },
    knots: [
      [0, 0.035, 0.035],
      [1, 0.045, 0.045],
    ],
    caps: [0.25, 0.25],
    density: 0.7,
  },
  {
    name: 'clavicle',
    from: { x: 0.0, y: 3.07 },
    to: { x: 0.95, y: 3.12 },
    knots: [
      [0, 0.05, 0.05],
      [0.2, 0.036, 0.036],
      [0.6, 0.033, 0.033],
      [1, 0.06, 0.06],
    ],
    caps: [0.04, 0.04],
    bow: -0.035,
  },
];

function rib(index: number): BoneShape {
  const y = 2.98 - index * 0.16;
  const knots: Knot[] = [
    [0, 0.03, 0.03],
    [1, 0.032, 0.032],
  ];
  const from: Point = { x: 0.5 - 0.02 * index, y: y - 0.13 };
  return { name: `rib${index}`, from, to: { x: 1.2, y: y + 0.05 }, knots, bow: -0.09, density: 0.4, medulla: 0.5 };
}

/** Scapula, clavicle and ribs. */
export function shoulderBones(build: Build, pose: Pose): Bone[] {
  const shapes = [...Array.from({ length: RIBS }, (_, index) => rib(index)), ...GIRDLE];
  return shapes.map((shape) => {
    const factor = build.stoutness * build.vary(shape.name, 0.08);
    return makeBone({
      cortex: build.cortex,
      medulla: build.medulla,
      ...shape,
      from: bendElbow(shape.from, pose),
      to: bendElbow(shape.to, pose),
      knots: shape.knots.map(([t, left, right]): Knot => [t, left * factor, right * factor]),
    });
  });
}

/** Chest (mostly air) and the muscle above it. */
export function shoulderTissue(build: Build, pose: Pose): Limb[] {
  const limb = (from: Point, to: Point, fromRadius: number, toRadius: number, density: number): Limb => ({
    from: bendElbow(from, pose),
    to: bendElbow(to, pose),
    fromRadius: fromRadius * build.softness,
    toRadius: toRadius * build.softness,
    density,
  });
  return [
    limb({ x: 0.9, y: 2.85 }, { x: 0.9, y: 1.9 }, 0.45, 0.5, 0.32),
    limb({ x: 0.05, y: 2.86 }, { x: 0.75, y: 3.0 }, 0.25, 0.22, 0.75),
    limb({ x: 0.25, y: 2.75 }, { x: 0.45, y: 2.3 }, 0.2, 0.14, 0.85),
  ];
}
