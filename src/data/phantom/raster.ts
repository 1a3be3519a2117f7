import type { Limb } from './body.ts';
import { type Bone, type Cut, PROFILE_STEPS } from './bone.ts';
import { boundingBox, offset, type SceneBox } from './geometry.ts';
import type { Lesion } from './lesion.ts';
import type { Rod } from './metal.ts';

/** A picture of one quantity; `scale` is pixels per scene unit. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly scale: number;
  readonly values: Float32Array;
}

/** Side of the texture tile, a power of two. */
export const TILE = 128;
/** Texture samples per scene unit: trabeculae are about 0.01 wide and 0.025 long. */
const TEXELS_ACROSS = 380;
const TEXELS_ALONG = 140;

export function makeRaster(width: number, height: number, scale: number): Raster {
  return { width, height, scale, values: new Float32Array(width * height) };
}

interface PixelRange {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The pixels whose centres may lie in the box; right and bottom are exclusive. */
function pixelRange({ width, height, scale }: Raster, box: SceneBox): PixelRange {
  return {
    left: Math.max(0, Math.floor(box.x * scale)),
    right: Math.min(width, Math.ceil((box.x + box.width) * scale)),
    top: Math.max(0, Math.floor(box.y * scale)),
    bottom: Math.min(height, Math.ceil((box.y + box.height) * scale)),
  };
}

/** Thickest soft tissue at each pixel, in body units, times its density. */
export function drawLimb(raster: Raster, limb: Limb, zoom: number): void {
  const { from, to, fromRadius, toRadius } = limb;
  const range = pixelRange(raster, boundingBox([from, to], Math.max(fromRadius, toRadius)));
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const lengthSquared = Math.max(1e-9, dx * dx + dy * dy);
  const factor = (2 * limb.density) / zoom;
  for (let row = range.top; row < range.bottom; row++) {
    const y = (row + 0.5) / raster.scale - from.y;
    for (let column = range.left; column < range.right; column++) {
      const x = (column + 0.5) / raster.scale - from.x;
      const t = Math.min(1, Math.max(0, (x * dx + y * dy) / lengthSquared));
      const radius = fromRadius + (toRadius - fromRadius) * t;
      const distance = (x - t * dx) ** 2 + (y - t * dy) ** 2;
      const room = radius * radius - distance;
      if (room <= 0) continue;
      const value = factor * Math.sqrt(room);
      const index = row * raster.width + column;
      if (value > (raster.values[index] as number)) raster.values[index] = value;
    }
  }
}

/** The box around a bone, drawn or not. */
export function boneBox(bone: Bone): SceneBox {
  const reach = bone.unit * (Math.max(...bone.left, ...bone.right) + Math.abs(bone.bow));
  return boundingBox([bone.origin, offset(bone.origin, bone.axis, bone.length * bone.unit)], reach);
}

/** Share of a pixel that the cuts leave: `along` and `across` in body units, `sharpness` in pixels per body unit. */
function kept(cuts: readonly Cut[], along: number, across: number, sharpness: number, halfWidth: number): number {
  let cover = 1;
  for (const cut of cuts) {
    const wave = across / halfWidth;
    const jag =
      cut.jagAmplitude * (Math.sin(4.1 * wave + cut.jagPhase) + 0.7 * Math.sin(9.3 * wave + 2 * cut.jagPhase));
    const beyond = (along - cut.along - cut.slope * across - jag) * sharpness;
    cover *= Math.min(1, Math.max(0, 0.5 + (cut.keeps === 'end' ? beyond : -beyond)));
  }
  return cover;
}

/** Dark bands of open growth plates. */
function plateShade(plates: readonly number[], along: number, across: number, halfWidth: number): number {
  let shade = 1;
  for (const plate of plates) {
    const width = 0.012 + 0.08 * halfWidth;
    const distance = Math.abs(along - plate - 0.12 * halfWidth * Math.sin((3 * across) / halfWidth)) / width;
    if (distance < 1) shade *= 0.3 + 0.7 * distance * distance;
  }
  return shade;
}

/** Adds a bone's attenuation: the beam's path through the cortex and the textured medulla, in body units. */
export function drawBone(raster: Raster, bone: Bone, tile: Float32Array, tileOffset: number): void {
  const { axis, side, unit, length, left, right, inside, depth, cuts, growthPlates } = bone;
  const range = pixelRange(raster, boneBox(bone));
  const sharpness = raster.scale * unit;
  for (let row = range.top; row < range.bottom; row++) {
    const dy = ((row + 0.5) / raster.scale - bone.origin.y) / unit;
    for (let column = range.left; column < range.right; column++) {
      const dx = ((column + 0.5) / raster.scale - bone.origin.x) / unit;
      const along = dx * axis.x + dy * axis.y;
      if (along <= 0 || along >= length) continue;
      const t = along / length;
      const across = side * (dy * axis.x - dx * axis.y) - bone.bow * 4 * t * (1 - t);
      const step = t * PROFILE_STEPS;
      const low = Math.floor(step);
      const f = step - low;
      const l = (left[low] as number) * (1 - f) + (left[low + 1] as number) * f;
      const r = (right[low] as number) * (1 - f) + (right[low + 1] as number) * f;
      if (across <= -l || across >= r) continue;
      const half = (l + r) / 2;
      const q = across - (r - l) / 2;
      const thickness = (depth[low] as number) * (1 - f) + (depth[low + 1] as number) * f;
      const inner = (inside[low] as number) * (1 - f) + (inside[low + 1] as number) * f;
      const outerChord = thickness * Math.sqrt(Math.max(0, 1 - (q * q) / (half * half)));
      let value = outerChord;
      if (Math.abs(q) < inner) {
        const innerChord = (thickness * inner * Math.sqrt(1 - (q * q) / (inner * inner))) / half;
        const tileRow = (along * unit * TEXELS_ALONG + tileOffset) & (TILE - 1);
        const tileColumn = (across * unit * TEXELS_ACROSS + tileOffset * 3) & (TILE - 1);
        const texture = tile[tileRow * TILE + tileColumn] as number;
        value -= innerChord * (1 - bone.medulla * (1 + 0.24 * texture));
      }
      if (cuts.length > 0) value *= kept(cuts, along, across, sharpness, half);
      if (growthPlates.length > 0) value *= plateShade(growthPlates, along, across, half);
      const index = row * raster.width + column;
      raster.values[index] = (raster.values[index] as number) + 2 * value * bone.density;
    }
  }
}

/** Changes the bone drawn so far, and adds a lesion's own shell. */
export function drawLesion(raster: Raster, lesion: Lesion): void {
  const { centre, radius, stretch, wobble, phase } = lesion;
  const cos = Math.cos(lesion.angle);
  const sin = Math.sin(lesion.angle);
  const long = Math.sqrt(stretch);
  const range = pixelRange(raster, boundingBox([centre], radius * long * 1.5));
  const softness = Math.max(1.2 / (radius * raster.scale), 0.12);
  for (let row = range.top; row < range.bottom; row++) {
    const y = ((row + 0.5) / raster.scale - centre.y) / radius;
    for (let column = range.left; column < range.right; column++) {
      const x = ((column + 0.5) / raster.scale - centre.x) / radius;
      const u = (x * cos + y * sin) / long;
      const v = (y * cos - x * sin) * long;
      const angle = Math.atan2(v, u);
      const edge = 1 + wobble * (Math.sin(3 * angle + phase) + 0.6 * Math.sin(5 * angle + 2 * phase));
      const distance = Math.sqrt(u * u + v * v) - edge;
      const mask = Math.min(1, Math.max(0, 0.5 - distance / softness));
      const ring = Math.max(0, 1 - Math.abs(distance) / (1.2 * softness));
      if (mask === 0 && ring === 0) continue;
      const index = row * raster.width + column;
      raster.values[index] =
        (raster.values[index] as number) * (1 + lesion.gain * mask + lesion.rim * ring) + lesion.shell * ring;
    }
  }
}

/** Brightest metal at each pixel. */
export function drawRod(raster: Raster, rod: Rod): void {
  const { from, to, halfWidth, holes, holeRadius, thread } = rod;
  const pixel = 1 / raster.scale;
  const range = pixelRange(raster, boundingBox([from, to], halfWidth + pixel));
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.max(1e-6, Math.hypot(dx, dy));
  for (let row = range.top; row < range.bottom; row++) {
    const y = (row + 0.5) * pixel - from.y;
    for (let column = range.left; column < range.right; column++) {
      const x = (column + 0.5) * pixel - from.x;
      const along = Math.min(length, Math.max(0, (x * dx + y * dy) / length));
      const distance = Math.hypot(x - (along * dx) / length, y - (along * dy) / length);
      const width = thread > 0 ? halfWidth * (0.85 + 0.15 * Math.sin((2 * Math.PI * along) / thread)) : halfWidth;
      let cover = Math.min(1, Math.max(0, 0.5 + (width - distance) * raster.scale), 2 * width * raster.scale);
      for (const hole of holes) {
        const fromHole = Math.hypot(x + from.x - hole.x, y + from.y - hole.y);
        cover *= Math.min(1, Math.max(0, 0.5 + (fromHole - holeRadius) * raster.scale));
      }
      const index = row * raster.width + column;
      const value = cover * rod.brightness;
      if (value > (raster.values[index] as number)) raster.values[index] = value;
    }
  }
}
