import { type Camera, offset, type Point, project, rotateAbout, turn } from './geometry.ts';

/** A cut across a bone: one side of it is kept. Lengths are in body units. */
export interface Cut {
  /** Where the cut crosses the axis, from the bone's beginning. */
  readonly along: number;
  /** Body units along the axis per body unit across it. */
  readonly slope: number;
  readonly jagAmplitude: number;
  readonly jagPhase: number;
  readonly keeps: 'beginning' | 'end';
}

/**
 * A bone: an outline given by its width to either side of an axis, a bright shell (cortex) and a darker inside
 * (medulla). Tables and lengths are in body units; `unit` scales them to the scene.
 */
export interface Bone {
  readonly name: string;
  readonly origin: Point;
  /** Unit vector. */
  readonly axis: Point;
  /** -1 where a mirror has swapped left and right. */
  readonly side: 1 | -1;
  readonly unit: number;
  readonly length: number;
  /** Outline and inside sampled at equal steps from the beginning to the end. */
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly inside: Float32Array;
  /** Half thickness along the beam. */
  readonly depth: Float32Array;
  /** How far the middle of the axis bends to its right side. */
  readonly bow: number;
  readonly density: number;
  /** Density of the medulla as a share of the cortex's. */
  readonly medulla: number;
  readonly cuts: readonly Cut[];
  /** Positions of open growth plates along the axis. */
  readonly growthPlates: readonly number[];
}

/** [fraction of the length, width to the left, width to the right]. */
export type Knot = readonly [t: number, left: number, right: number];

export interface BoneShape {
  readonly name: string;
  readonly from: Point;
  readonly to: Point;
  readonly knots: readonly Knot[];
  /** Lengths of the rounded ends as fractions of the bone's length. */
  readonly caps?: readonly [number, number];
  readonly bow?: number;
  /** Thickness of the cortex as a share of the least half width. */
  readonly cortex?: number;
  readonly density?: number;
  readonly medulla?: number;
  /** Fractions of the length. */
  readonly growthPlates?: readonly number[];
}

export const PROFILE_STEPS = 64;

function knotWidths(knots: readonly Knot[], t: number): [number, number] {
  const last = knots[knots.length - 1] as Knot;
  for (let index = 1; index < knots.length; index++) {
    const a = knots[index - 1] as Knot;
    const b = knots[index] as Knot;
    if (t > b[0]) continue;
    const fraction = Math.max(0, (t - a[0]) / (b[0] - a[0]));
    const ease = 0.5 - 0.5 * Math.cos(Math.PI * fraction);
    return [a[1] + (b[1] - a[1]) * ease, a[2] + (b[2] - a[2]) * ease];
  }
  return [last[1], last[2]];
}

/** How much of the full width is left at `t`: an elliptic cap at either end, drawn in by `inset`. */
function capFactor(t: number, caps: readonly [number, number], inset: number): number {
  const beginning = (t - inset) / caps[0];
  const end = (1 - t - inset) / caps[1];
  const nearest = Math.min(beginning, end, 1);
  return nearest <= 0 ? 0 : Math.sqrt(nearest * (2 - nearest));
}

/** A bone from its outline's knots. */
export function makeBone(shape: BoneShape): Bone {
  const { from, to, knots, caps = [0.06, 0.06] } = shape;
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const samples = PROFILE_STEPS + 1;
  const left = new Float32Array(samples);
  const right = new Float32Array(samples);
  const inside = new Float32Array(samples);
  const depth = new Float32Array(samples);
  const least = Math.min(...knots.map(([, l, r]) => (l + r) / 2));
  const cortex = least * (shape.cortex ?? 0.34);
  for (let index = 0; index < samples; index++) {
    const t = index / PROFILE_STEPS;
    const [l, r] = knotWidths(knots, t);
    const outer = capFactor(t, caps, 0);
    const half = (l + r) / 2;
    const shell = cortex * Math.max(0.35, Math.min(1, (least / half) ** 2));
    left[index] = l * outer;
    right[index] = r * outer;
    inside[index] = Math.max(0, half * capFactor(t, caps, shell / length) - shell);
    depth[index] = Math.sqrt(half * least) * outer;
  }
  return {
    name: shape.name,
    origin: from,
    axis: { x: (to.x - from.x) / length, y: (to.y - from.y) / length },
    side: 1,
    unit: 1,
    length,
    left,
    right,
    inside,
    depth,
    bow: shape.bow ?? 0,
    density: shape.density ?? 1,
    medulla: shape.medulla ?? 0.4,
    cuts: [],
    growthPlates: (shape.growthPlates ?? []).map((t) => t * length),
  };
}

/** Knots of a tubular bone whose ends flare; all are half widths. */
export function tubular(beginning: number, shaft: number, end: number, flare = 0.25): Knot[] {
  return [
    [0, beginning, beginning],
    [0.06, beginning, beginning],
    [flare, shaft * 1.08, shaft * 1.08],
    [0.5, shaft, shaft],
    [1 - flare, shaft * 1.08, shaft * 1.08],
    [0.94, end, end],
    [1, end, end],
  ];
}

/** Half width at the fraction `t` of the length, in the units of the bone's origin. */
export function halfWidth(bone: Bone, t: number): number {
  const index = Math.round(Math.min(1, Math.max(0, t)) * PROFILE_STEPS);
  return (bone.unit * ((bone.left[index] as number) + (bone.right[index] as number))) / 2;
}

/** The point at the fraction `t` of the axis, `across` half widths to its right side. */
export function pointOn(bone: Bone, t: number, across = 0): Point {
  const middle = bone.unit * bone.bow * 4 * t * (1 - t);
  return offset(
    bone.origin,
    bone.axis,
    t * bone.length * bone.unit,
    bone.side * (middle + across * halfWidth(bone, t)),
  );
}

/** The bone as the camera sees it, in scene units. */
export function projectBone(camera: Camera, bone: Bone): Bone {
  return {
    ...bone,
    origin: project(camera, bone.origin),
    axis: turn(camera, bone.axis),
    side: camera.mirror ? (bone.side === 1 ? -1 : 1) : bone.side,
    unit: bone.unit * camera.zoom,
  };
}

/** The bone turned about a pivot and then shifted. */
export function moveBone(bone: Bone, pivot: Point, angle: number, shift: Point): Bone {
  const turned = rotateAbout(bone.origin, pivot, angle);
  return {
    ...bone,
    origin: { x: turned.x + shift.x, y: turned.y + shift.y },
    axis: rotateAbout(bone.axis, { x: 0, y: 0 }, angle),
  };
}
