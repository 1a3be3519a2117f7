import type { Random } from '../../base/random.ts';
import { type Bone, halfWidth, pointOn } from './bone.ts';
import { offset, type Point } from './geometry.ts';
import type { Lesion } from './lesion.ts';
import { plainRod, polyline, type Rod } from './metal.ts';

/** Strokes of the side markers in a unit square. */
const LETTERS: readonly (readonly (readonly [number, number])[])[] = [
  [
    [0, 0],
    [0, 1],
    [0.6, 1],
  ],
  [
    [0, 1],
    [0, 0],
    [0.5, 0.05],
    [0.6, 0.27],
    [0.5, 0.5],
    [0, 0.5],
    [0.6, 1],
  ],
];

/** An L or R of lead near an edge. */
export function sideMarker(width: number, height: number, random: Random): Rod[] {
  const size = random.uniform(0.05, 0.085);
  const corner = {
    x: random.chance(0.5) ? random.uniform(0.03, 0.1) : width - size - random.uniform(0.03, 0.1),
    y: random.uniform(0.04, height - size - 0.04),
  };
  const angle = random.uniform(-0.3, 0.3);
  const axis = { x: Math.cos(angle), y: Math.sin(angle) };
  const strokes = random.pick(LETTERS).map(([x, y]) => offset(corner, axis, x * size, y * size));
  return polyline(strokes, size * random.uniform(0.07, 0.13), random.uniform(0.6, 1));
}

/** A wire that lies across the picture from one edge to the other. */
function cable(width: number, height: number, random: Random): Rod[] {
  const steps = 12;
  const upright = random.chance(0.5);
  const start = random.uniform(0.05, 0.95);
  const end = start + random.uniform(-0.35, 0.35);
  const sway = random.uniform(-0.12, 0.12);
  const points = Array.from({ length: steps + 1 }, (_, step): Point => {
    const t = step / steps;
    const across = start + (end - start) * t + sway * Math.sin(Math.PI * 1.5 * t);
    return upright ? { x: across * width, y: t * height } : { x: t * width, y: across * height };
  });
  return polyline(points, random.uniform(0.005, 0.01), random.uniform(0.35, 0.9));
}

/** Press studs or buttons of clothing. */
function buttons(width: number, height: number, random: Random): Rod[] {
  return Array.from({ length: 1 + random.integer(3) }, () => {
    const at = { x: random.uniform(0.05, 0.95) * width, y: random.uniform(0.05, 0.95) * height };
    const radius = random.uniform(0.018, 0.036);
    const brightness = random.uniform(0.6, 1);
    return { ...plainRod(at, at, radius, brightness), holes: [at], holeRadius: radius * random.uniform(0.25, 0.45) };
  });
}

/** A ring or a bangle: a band straight across a limb, wider than its bone. */
function band(bone: Bone, random: Random): Rod[] {
  const t = random.uniform(0.2, 0.8);
  const reach = Math.max(0.03, halfWidth(bone, t)) * random.uniform(1.7, 2.1);
  const at = pointOn(bone, t);
  const halfBand = random.uniform(0.009, 0.018);
  return [
    plainRod(offset(at, bone.axis, 0, -reach), offset(at, bone.axis, 0, reach), halfBand, random.uniform(0.5, 0.9)),
  ];
}

/** A strip of lead with the patient's number, along an edge. */
function nameStrip(width: number, height: number, random: Random): Rod[] {
  const length = random.uniform(0.08, 0.16);
  const x = random.uniform(0.04, Math.max(0.05, width - length - 0.04));
  const y = random.chance(0.5) ? random.uniform(0.03, 0.08) : height - random.uniform(0.03, 0.08);
  const halfStrip = random.uniform(0.012, 0.026);
  return [plainRod({ x, y }, { x: x + length, y: y + random.uniform(-0.02, 0.02) }, halfStrip, random.uniform(0.8, 1))];
}

/**
 * Metal that is no implant: cables, name strips, buttons, rings.
 */
export function decoyMetal(width: number, height: number, bone: Bone, random: Random): Rod[] {
  const form = random.uniform();
  if (form < 0.25) return cable(width, height, random);
  if (form < 0.4) return nameStrip(width, height, random);
  if (form < 0.75) return buttons(width, height, random);
  return band(bone, random);
}

/** A bone island: a small dense spot, harmless. */
export function boneIsland(bone: Bone, random: Random): Lesion {
  return {
    centre: pointOn(bone, random.uniform(0.08, 0.92), random.uniform(-0.5, 0.5)),
    radius: random.uniform(0.005, 0.009),
    stretch: random.uniform(1, 1.5),
    angle: random.uniform(0, Math.PI),
    wobble: 0.1,
    phase: random.uniform(0, 6),
    gain: random.uniform(0.5, 0.9),
    rim: 0,
    shell: 0,
  };
}
