import type { Random } from '../../base/random.ts';
import type { Pose } from './body.ts';
import type { Point } from './geometry.ts';
import { rayBoneName } from './hand.ts';

/** MURA's seven regions, as its folders are named. */
export const REGIONS = [
  'XR_ELBOW',
  'XR_FINGER',
  'XR_FOREARM',
  'XR_HAND',
  'XR_HUMERUS',
  'XR_SHOULDER',
  'XR_WRIST',
] as const;

export type Region = (typeof REGIONS)[number];

/** A stretch of a bone where an abnormality may lie. */
export interface SiteRange {
  readonly bone: string;
  readonly from: number;
  readonly to: number;
}

interface RegionShape {
  /** Body point in the middle of the picture and how far it may wander either way, in body units. */
  readonly focus: Point;
  readonly wander: Point;
  /** Body length that the image's long side shows. */
  readonly field: readonly [number, number];
  /** Fingers or shoulder up, in degrees, and the spread about it. */
  readonly upright: number;
  readonly tilt: number;
  readonly maxObliquity: number;
  /** Most bend of the elbow, radians. */
  readonly maxFlexion: number;
  /** Short side as a share of the long side. */
  readonly aspect: readonly [number, number];
  readonly sites: readonly SiteRange[];
}

const site = (bone: string, from: number, to: number): SiteRange => ({ bone, from, to });
const metacarpals = [1, 2, 3, 4].map((ray) => site(rayBoneName(ray, 0), 0.2, 0.85));

export const REGION_SHAPES: Readonly<Record<Region, RegionShape>> = {
  XR_ELBOW: {
    focus: { x: 0, y: 1.44 },
    wander: { x: 0.05, y: 0.08 },
    field: [0.56, 0.72],
    upright: 180,
    tilt: 15,
    maxObliquity: 0.59,
    maxFlexion: 1.6,
    aspect: [0.78, 1],
    sites: [site('humerus', 0.04, 0.24), site('radius', 0.76, 0.95), site('ulna', 0.72, 0.93)],
  },
  XR_FINGER: {
    focus: { x: 0, y: 0 },
    wander: { x: 0.01, y: 0.05 },
    field: [0.25, 0.33],
    upright: 0,
    tilt: 12,
    maxObliquity: 0.52,
    maxFlexion: 0,
    aspect: [0.7, 0.95],
    sites: [],
  },
  XR_FOREARM: {
    focus: { x: 0, y: 0.84 },
    wander: { x: 0.03, y: 0.2 },
    field: [0.7, 0.9],
    upright: 0,
    tilt: 10,
    maxObliquity: 0.49,
    maxFlexion: 0.4,
    aspect: [0.7, 0.9],
    sites: [site('radius', 0.05, 0.85), site('ulna', 0.05, 0.85)],
  },
  XR_HAND: {
    focus: { x: -0.02, y: 0 },
    wander: { x: 0.02, y: 0.05 },
    field: [0.56, 0.72],
    upright: 0,
    tilt: 10,
    maxObliquity: 0.39,
    maxFlexion: 0,
    aspect: [0.78, 1],
    sites: [...metacarpals, ...[0, 1, 2, 3, 4].map((ray) => site(rayBoneName(ray, 1), 0.15, 0.8))],
  },
  XR_HUMERUS: {
    focus: { x: 0.02, y: 2.15 },
    wander: { x: 0.04, y: 0.35 },
    field: [0.75, 1],
    upright: 180,
    tilt: 9,
    maxObliquity: 0.59,
    maxFlexion: 0.5,
    aspect: [0.7, 0.92],
    sites: [site('humerus', 0.06, 0.92)],
  },
  XR_SHOULDER: {
    focus: { x: 0.14, y: 2.82 },
    wander: { x: 0.08, y: 0.06 },
    field: [0.68, 0.84],
    upright: 180,
    tilt: 7,
    maxObliquity: 0.26,
    maxFlexion: 0,
    aspect: [0.8, 1],
    sites: [
      site('humerus', 0.68, 0.92),
      site('humerus', 0.68, 0.92),
      site('humerus', 0.68, 0.92),
      site('clavicle', 0.1, 0.45),
    ],
  },
  XR_WRIST: {
    focus: { x: 0, y: 0.25 },
    wander: { x: 0.02, y: 0.05 },
    field: [0.35, 0.45],
    upright: 0,
    tilt: 12,
    maxObliquity: 0.59,
    maxFlexion: 0,
    aspect: [0.72, 0.95],
    sites: [site('radius', 0.02, 0.22), site('radius', 0.02, 0.22), site('ulna', 0.02, 0.22)],
  },
};

const ALL_RAYS: readonly number[] = [0, 1, 2, 3, 4];

/** The first view is frontal, the second lateral, further ones between. */
export function drawPose(region: Region, view: number, random: Random): Pose {
  const { maxObliquity, maxFlexion } = REGION_SHAPES[region];
  const lateral =
    view % 3 === 0 ? random.uniform(0, 0.2) : view % 3 === 1 ? random.uniform(0.8, 1) : random.uniform(0.3, 0.7);
  return {
    obliquity: maxObliquity * lateral,
    flexion: -maxFlexion * lateral * random.uniform(0.6, 1),
    fan: random.uniform(0.7, 1.5),
    rays: ALL_RAYS,
  };
}
