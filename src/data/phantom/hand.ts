import type { Build, Limb, Pose } from './body.ts';
import { type Bone, makeBone, tubular } from './bone.ts';
import { offset, type Point } from './geometry.ts';

interface Ray {
  readonly base: Point;
  /** Degrees from the forearm's axis, positive to the little finger's side. */
  readonly direction: number;
  /** Lengths of metacarpal and phalanges. */
  readonly lengths: readonly number[];
  /** Half widths of the shafts. */
  readonly shafts: readonly number[];
}

/** Thumb to little finger. Proportions after Garn et al., metacarpal and phalangeal lengths (1972), hand length 0.9. */
const RAYS: readonly Ray[] = [
  { base: { x: -0.1, y: 0.15 }, direction: -42, lengths: [0.155, 0.105, 0.08], shafts: [0.02, 0.018, 0.015] },
  {
    base: { x: -0.068, y: 0.12 },
    direction: -9,
    lengths: [0.2, 0.13, 0.08, 0.058],
    shafts: [0.019, 0.017, 0.014, 0.012],
  },
  {
    base: { x: -0.02, y: 0.115 },
    direction: -1,
    lengths: [0.195, 0.145, 0.095, 0.062],
    shafts: [0.019, 0.018, 0.015, 0.012],
  },
  {
    base: { x: 0.027, y: 0.12 },
    direction: 6,
    lengths: [0.175, 0.135, 0.09, 0.062],
    shafts: [0.017, 0.017, 0.014, 0.012],
  },
  {
    base: { x: 0.07, y: 0.13 },
    direction: 14,
    lengths: [0.16, 0.105, 0.065, 0.055],
    shafts: [0.017, 0.015, 0.012, 0.011],
  },
];

const SEGMENTS = ['metacarpal', 'proximal', 'middle', 'distal'] as const;
const JOINT_SPACE = 0.008;

/** [x, y, half length, half width, degrees]: two rows, from the thumb's side. */
const CARPALS: readonly (readonly [number, number, number, number, number])[] = [
  [-0.085, 0.163, 0.024, 0.021, 20],
  [-0.05, 0.153, 0.02, 0.018, 0],
  [-0.008, 0.165, 0.038, 0.024, 0],
  [0.042, 0.166, 0.03, 0.027, -15],
  [-0.06, 0.2, 0.036, 0.021, 40],
  [-0.008, 0.216, 0.022, 0.025, 80],
  [0.038, 0.211, 0.021, 0.021, 30],
  [0.058, 0.196, 0.016, 0.015, 0],
];

/** Where a ray's bones meet, from the base of the metacarpal to the fingertip. */
export function rayJoints(ray: number, build: Build, pose: Pose): Point[] {
  const { base, direction, lengths } = RAYS[ray] as Ray;
  const squeeze = 1 - 0.65 * pose.obliquity;
  const angle = (direction * pose.fan * squeeze * Math.PI) / 180 + 0.04 * (build.vary(`ray${ray}`, 1) - 1);
  const axis = { x: Math.sin(angle), y: -Math.cos(angle) };
  const joints = [{ x: base.x * squeeze, y: base.y }];
  for (const length of lengths) {
    joints.push(offset(joints[joints.length - 1] as Point, axis, length * build.vary(`length${ray}`, 0.05)));
  }
  return joints;
}

/** Name of a bone of a ray, thumb 0 to little finger 4; the thumb has no middle phalanx. */
export function rayBoneName(ray: number, segment: number): string {
  const last = (RAYS[ray] as Ray).lengths.length - 1;
  return `${segment === last ? 'distal' : SEGMENTS[segment]}${ray}`;
}

function rayBones(ray: number, build: Build, pose: Pose): Bone[] {
  const { shafts } = RAYS[ray] as Ray;
  const joints = rayJoints(ray, build, pose);
  return shafts.map((width, segment) => {
    const a = joints[segment] as Point;
    const b = joints[segment + 1] as Point;
    const length = Math.hypot(b.x - a.x, b.y - a.y);
    const axis = { x: (b.x - a.x) / length, y: (b.y - a.y) / length };
    const name = rayBoneName(ray, segment);
    const shaft = width * build.stoutness * build.vary(name, 0.08);
    const tip = segment === shafts.length - 1;
    return makeBone({
      name,
      from: offset(a, axis, JOINT_SPACE / 2),
      to: offset(a, axis, length - JOINT_SPACE / 2),
      knots: tubular(shaft * 1.5, shaft, shaft * (tip ? 0.95 : 1.38), 0.3),
      caps: [0.08, tip ? 0.2 : 0.13],
      cortex: build.cortex,
      medulla: build.medulla,
      growthPlates: build.child ? [segment === 0 && ray > 0 ? 0.86 : 0.14] : [],
    });
  });
}

function carpalBones(build: Build, pose: Pose): Bone[] {
  const squeeze = 1 - 0.6 * pose.obliquity;
  return CARPALS.map(([x, y, halfLength, width, degrees], index) => {
    const name = `carpal${index}`;
    const angle = ((degrees + 10 * (build.vary(name, 1) - 1)) * Math.PI) / 180;
    const half = width * build.vary(name, 0.07);
    const along = { x: Math.sin(angle) * halfLength, y: -Math.cos(angle) * halfLength };
    const centre = { x: x * squeeze, y };
    return makeBone({
      name,
      from: { x: centre.x - along.x, y: centre.y - along.y },
      to: { x: centre.x + along.x, y: centre.y + along.y },
      knots: [
        [0, half, half * 0.9],
        [0.5, half * 0.93, half],
        [1, half, half * 0.95],
      ],
      caps: [0.34, 0.34],
      cortex: 0.18,
      medulla: build.medulla + 0.25,
      density: 0.95,
    });
  });
}

/** Phalanges, metacarpals and carpals. */
export function handBones(build: Build, pose: Pose): Bone[] {
  return [...carpalBones(build, pose), ...pose.rays.flatMap((ray) => rayBones(ray, build, pose))];
}

/** Fingers, palm and wrist. */
export function handTissue(build: Build, pose: Pose): Limb[] {
  const width = build.softness;
  return pose.rays.flatMap((ray) => {
    const { shafts } = RAYS[ray] as Ray;
    const joints = rayJoints(ray, build, pose);
    const wrist = { x: (joints[0] as Point).x * 0.7, y: 0.25 };
    const chain = [wrist, ...joints];
    return chain.slice(1).map((to, index): Limb => {
      const finger = (shafts[Math.max(0, index - 1)] as number) * 2.1 * width;
      const fromRadius = index < 2 ? 0.052 * width : finger;
      const tip = index === chain.length - 2;
      return {
        from: chain[index] as Point,
        to: tip ? offset(to, { x: 0, y: 1 }, 0.012) : to,
        fromRadius,
        toRadius: index < 1 ? 0.052 * width : tip ? finger * 0.8 : finger,
        density: 1,
      };
    });
  });
}
