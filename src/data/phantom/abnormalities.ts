import type { Random } from '../../base/random.ts';
import { type Bone, type Cut, halfWidth, makeBone, moveBone, pointOn } from './bone.ts';
import { boundingBox, offset, type Point, type SceneBox } from './geometry.ts';
import type { Lesion } from './lesion.ts';
import { plainRod, plate, type Rod, rodsBox, screw } from './metal.ts';

export type AbnormalityKind = 'fracture' | 'lesion' | 'implant';

/** Shares of the abnormal studies. */
export const IMPLANT_CHANCE = 0.4;
const LESION_CHANCE = 0.34;
const SUBTLE_CHANCE = 0.1;

/** Draws a study's abnormality. */
export function drawAbnormality(random: Random): Abnormality {
  const point = random.uniform();
  const kind = point < IMPLANT_CHANCE ? 'implant' : point < IMPLANT_CHANCE + LESION_CHANCE ? 'lesion' : 'fracture';
  return { kind, form: random.uniform(), subtle: random.chance(SUBTLE_CHANCE) };
}

/** What an abnormality puts in place of the bone at its site, and beside it. Scene units. */
export interface Finding {
  /** Take the place of the site's bone. */
  readonly bones: readonly Bone[];
  readonly lesions: readonly Lesion[];
  readonly rods: readonly Rod[];
  readonly box: SceneBox;
}

/** Least size of what is drawn, a share of the image's long side, so that thin bones' findings can be seen. */
const LEAST_SIZE = 0.068;

/** Room that an implant's box leaves around the metal, in scene units. */
const IMPLANT_MARGIN = 0.015;

/** What all views of a study share. */
export interface Abnormality {
  readonly kind: AbnormalityKind;
  /** Uniform in [0, 1): picks among the forms of a kind. */
  readonly form: number;
  readonly subtle: boolean;
}

type Draw = (bone: Bone, t: number, abnormality: Abnormality, random: Random) => Finding;

function sign(random: Random): 1 | -1 {
  return random.chance(0.5) ? 1 : -1;
}

function sizeAt(bone: Bone, t: number): number {
  return Math.max(LEAST_SIZE, Math.min(0.09, halfWidth(bone, t)));
}

/** A splinter of bone, `size` long. */
function chip(bone: Bone, middle: Point, size: number, random: Random): Bone {
  const angle = random.uniform(0, Math.PI);
  const reach = { x: (Math.cos(angle) * size) / 2, y: (Math.sin(angle) * size) / 2 };
  const width = size * random.uniform(0.2, 0.32);
  return makeBone({
    name: 'chip',
    from: { x: middle.x - reach.x, y: middle.y - reach.y },
    to: { x: middle.x + reach.x, y: middle.y + reach.y },
    knots: [
      [0, width, width],
      [1, width * 0.5, width * 0.5],
    ],
    caps: [0.3, 0.3],
    density: (1.3 * bone.density) / bone.unit,
    medulla: 0.7,
  });
}

const fracture: Draw = (bone, t, { form, subtle }, random) => {
  const size = sizeAt(bone, t);
  const half = halfWidth(bone, t);
  const moving = t > 0.5 ? 1 : -1;
  const overlap = !subtle && form < 0.15;
  const gap =
    size * (subtle ? random.uniform(0.12, 0.25) : overlap ? random.uniform(-1.4, -0.8) : random.uniform(0.8, 1.3));
  const shift = sign(random) * size * (subtle ? random.uniform(0, 0.25) : random.uniform(overlap ? 1 : 0.8, 1.6));
  const angle = sign(random) * (subtle ? random.uniform(0, 0.05) : random.uniform(0.12, 0.4));
  const cut: Omit<Cut, 'keeps'> = {
    along: t * bone.length,
    slope: sign(random) * random.uniform(0.2, 0.95),
    jagAmplitude: (0.12 * half) / bone.unit,
    jagPhase: random.uniform(0, 6),
  };
  const pivot = pointOn(bone, t);
  const away = offset({ x: 0, y: 0 }, bone.axis, moving * gap, bone.side * shift);
  const beginning: Bone = { ...bone, cuts: [{ ...cut, keeps: 'beginning' }] };
  const end: Bone = { ...bone, cuts: [{ ...cut, keeps: 'end' }] };
  const [still, moved] = moving === 1 ? [beginning, end] : [end, beginning];
  const chips = Array.from({ length: subtle ? 0 : 1 + random.integer(3) }, () =>
    chip(
      bone,
      offset(pivot, bone.axis, size * random.uniform(-0.8, 0.8), sign(random) * random.uniform(1.1, 1.7) * half),
      size * random.uniform(0.6, 1),
      random,
    ),
  );
  const middle = { x: pivot.x + away.x / 2, y: pivot.y + away.y / 2 };
  const along = 0.85 * size + Math.abs(gap) / 2 + 0.2 * half;
  const across = half * 1.05 + Math.abs(shift) / 2;
  const corners = [-1, 1].flatMap((a) => [-1, 1].map((b) => offset(middle, bone.axis, a * along, b * across)));
  return {
    bones: [still, moveBone(moved, pivot, angle, away), ...chips],
    lesions: [],
    rods: [],
    box: boundingBox(corners),
  };
};

const lesion: Draw = (bone, t, { form, subtle }, random) => {
  const size = sizeAt(bone, t);
  const lytic = form < 0.6;
  const expansile = form < 0.25 && !subtle;
  const radius =
    size * (subtle ? random.uniform(0.5, 0.65) : expansile ? random.uniform(1.25, 1.6) : random.uniform(0.95, 1.25));
  const strength = subtle ? random.uniform(0.35, 0.5) : random.uniform(0.8, 0.97);
  const stretch = random.uniform(1, 1.5);
  const centre = pointOn(bone, t, random.uniform(-0.35, 0.35));
  const drawn: Lesion = {
    centre,
    radius,
    stretch,
    angle: Math.atan2(bone.axis.y, bone.axis.x) + random.uniform(-0.4, 0.4),
    wobble: random.uniform(0.04, 0.14),
    phase: random.uniform(0, 6),
    gain: lytic ? -strength : 1.9 * strength,
    rim: lytic && !subtle ? random.uniform(0.4, 0.9) : 0,
    shell: expansile ? (0.45 * halfWidth(bone, t)) / bone.unit : 0,
  };
  return { bones: [bone], lesions: [drawn], rods: [], box: boundingBox([centre], radius * Math.sqrt(stretch) * 1.12) };
};

/** Pins (Kirschner wires) that cross at the site. */
function pins(bone: Bone, t: number, subtle: boolean, brightness: number, random: Random): Rod[] {
  const size = sizeAt(bone, t);
  const middle = pointOn(bone, t);
  const tilt = random.uniform(0.25, 0.6);
  const reach = size * random.uniform(1.6, 2.2);
  return [1, -1].slice(0, subtle ? 1 : 2).map((way) => {
    const angle = way * tilt;
    const axis = {
      x: bone.axis.x * Math.cos(angle) - bone.axis.y * Math.sin(angle),
      y: bone.axis.y * Math.cos(angle) + bone.axis.x * Math.sin(angle),
    };
    const centre = offset(middle, bone.axis, size * random.uniform(-0.5, 0.5));
    const width = random.uniform(0.009, 0.013);
    return plainRod(
      offset(centre, axis, -reach),
      offset(centre, axis, reach * random.uniform(0.7, 1.1)),
      width,
      brightness,
    );
  });
}

/** One to three screws across the bone. */
function screws(bone: Bone, t: number, subtle: boolean, brightness: number, random: Random): Rod[] {
  const size = sizeAt(bone, t);
  const reach = Math.max(halfWidth(bone, t) * 1.2, size * 1.3);
  const slant = random.uniform(-0.8, 0.8);
  const way = sign(random);
  const count = subtle ? 1 : 1 + random.integer(3);
  return Array.from({ length: count }, (_, index) => {
    const middle = offset(pointOn(bone, t), bone.axis, (index - (count - 1) / 2) * size * 1.1);
    const head = offset(middle, bone.axis, -slant * reach, -way * reach);
    const tip = offset(middle, bone.axis, slant * reach, way * reach);
    return screw(head, tip, size * (subtle ? 0.16 : random.uniform(0.18, 0.26)), brightness);
  }).flat();
}

/** A plate along the bone, seen from the front or on edge, held by screws. */
function plated(bone: Bone, t: number, brightness: number, random: Random): Rod[] {
  const size = sizeAt(bone, t);
  const holes = 4 + random.integer(3);
  const length = size * random.uniform(3, 4.2);
  const way = sign(random);
  const edge = random.chance(0.4);
  const half = halfWidth(bone, t);
  const middle = pointOn(bone, t, way * (edge ? 1.08 : random.uniform(0, 0.5)));
  const drawn = plate(middle, bone.axis, length, size * (edge ? 0.16 : 0.36), edge ? 0 : holes, brightness);
  const across = -way * bone.side;
  const held = Array.from({ length: holes }, (_, index) => index).filter(() => random.chance(0.75));
  const fixings = held.flatMap((index) => {
    const at = offset(middle, bone.axis, length * ((index + 0.5) / holes - 0.5));
    if (!edge) return [plainRod(at, at, size * 0.17, brightness)];
    return screw(
      offset(at, bone.axis, 0, -across * size * 0.2),
      offset(at, bone.axis, 0, across * half * 2),
      size * 0.12,
      brightness,
    );
  });
  return [drawn, ...fixings];
}

const implant: Draw = (bone, t, { form, subtle }, random) => {
  const brightness = random.uniform(0.3, 0.62) * (subtle ? 0.7 : 1);
  const rods =
    form < 0.35
      ? pins(bone, t, subtle, brightness, random)
      : form < 0.65 || subtle
        ? screws(bone, t, subtle, brightness, random)
        : plated(bone, t, brightness, random);
  return { bones: [bone], lesions: [], rods, box: rodsBox(rods, IMPLANT_MARGIN) };
};

/** How each kind is drawn at the fraction `t` of a bone that the camera has projected. */
export const ABNORMALITIES: Readonly<Record<AbnormalityKind, Draw>> = { fracture, lesion, implant };
