import { fnv1a32, hash32, Random } from '../../base/random.ts';
import type { AbnormalityKind } from './abnormalities.ts';
import type { PhantomStudy } from './plan.ts';
import { boneBox, drawBone, drawLesion, drawLimb, drawRod, makeRaster, type Raster, TILE } from './raster.ts';
import { composeScene, type Scene } from './scene.ts';
import { noiseTile } from './texture.ts';

/** A box in whole pixels, within the image. */
export interface PhantomBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly kind: AbnormalityKind;
}

export interface PhantomImage {
  readonly width: number;
  readonly height: number;
  /** Row by row, one byte a pixel, white bones. */
  readonly grey: Uint8Array;
  /** Where the abnormality is; empty for a normal study. */
  readonly boxes: readonly PhantomBox[];
}

/** The share of values of a picture that may be brighter than `white`. */
const CLIPPED = 0.03;

/** Attenuation without metal. */
function attenuation(scene: Scene, width: number, height: number, scale: number): Raster {
  const bone = makeRaster(width, height, scale);
  const tile = noiseTile(hash32(scene.noiseSeed, 1));
  for (const each of scene.bones) {
    const box = boneBox(each);
    const seen = box.x < scene.width && box.y < scene.height && box.x + box.width > 0 && box.y + box.height > 0;
    if (seen) drawBone(bone, each, tile, fnv1a32(each.name) & (TILE - 1));
  }
  for (const lesion of scene.lesions) drawLesion(bone, lesion);
  const soft = makeRaster(width, height, scale);
  for (const limb of scene.tissue) drawLimb(soft, limb, scene.zoom);
  const share = scene.exposure.softTissue;
  for (let index = 0; index < bone.values.length; index++) {
    bone.values[index] = (bone.values[index] as number) + share * (soft.values[index] as number);
  }
  return bone;
}

/** The value that a share `above` of all values exceeds, to 1 part in 1024 of the largest. */
function quantile(values: Float32Array, above: number): number {
  let largest = 1e-9;
  for (const value of values) if (value > largest) largest = value;
  const bins = new Uint32Array(1025);
  for (const value of values) {
    const bin = Math.floor((value / largest) * 1024);
    bins[bin] = (bins[bin] as number) + 1;
  }
  let left = values.length * above;
  let bin = 1024;
  while (bin > 0 && left > 0) left -= bins[bin--] as number;
  return ((bin + 1) / 1024) * largest;
}

/** A 3 x 3 box blur, weight `amount`: the focal spot's. */
function blur({ width, height, values }: Raster, amount: number): Float32Array {
  const out = values.slice();
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const at = row * width + column;
      let sum = 0;
      for (let dy = -width; dy <= width; dy += width) {
        sum += (values[at + dy - 1] as number) + (values[at + dy] as number) + (values[at + dy + 1] as number);
      }
      out[at] = (values[at] as number) * (1 - amount) + (sum / 9) * amount;
    }
  }
  return out;
}

/** 1 within the collimated field, the leakage outside, for each pixel. */
function collimate(scene: Scene, grey: Raster): void {
  const { field, fieldAngle, exposure } = scene;
  const cos = Math.cos(fieldAngle);
  const sin = Math.sin(fieldAngle);
  const centre = { x: field.x + field.width / 2, y: field.y + field.height / 2 };
  for (let row = 0; row < grey.height; row++) {
    const y = (row + 0.5) / grey.scale - centre.y;
    for (let column = 0; column < grey.width; column++) {
      const x = (column + 0.5) / grey.scale - centre.x;
      const out = Math.max(
        Math.abs(cos * x + sin * y) - field.width / 2,
        Math.abs(cos * y - sin * x) - field.height / 2,
      );
      const open = Math.min(1, Math.max(0, 0.5 - out * grey.scale));
      const index = row * grey.width + column;
      grey.values[index] = (grey.values[index] as number) * (exposure.leakage + (1 - exposure.leakage) * open);
    }
  }
}

/** Sum of four random bytes: nearly normal, and one draw a pixel. Mean 0, standard deviation 1. */
function nearlyNormal(bits: number): number {
  return ((bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24) - 510) / 147.8;
}

/** Straight up to 1, then bending towards 1.4: dense bone keeps its structure. */
function knee(level: number): number {
  return level < 1 ? level : 1 + 0.4 * Math.tanh((level - 1) / 0.4);
}

/** Attenuation to grey levels 0 to 1: window, gamma, metal, noise that grows with the attenuation. */
function develop(scene: Scene, picture: Raster, metal: Raster): void {
  const { exposure } = scene;
  const random = new Random(scene.noiseSeed, 2);
  const top = quantile(picture.values, CLIPPED);
  const { width, height, scale } = picture;
  const values = blur(picture, 0.5);
  const slopeX = (Math.cos(exposure.heelAngle) * exposure.heel) / scale;
  const slopeY = (Math.sin(exposure.heelAngle) * exposure.heel) / scale;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const index = row * width + column;
      const level = (values[index] as number) / top;
      const light = exposure.white * knee(level) ** exposure.gamma + (metal.values[index] as number);
      const heel = 1 + (column - width / 2) * slopeX + (row - height / 2) * slopeY;
      const grain = exposure.noise * nearlyNormal(random.bits()) * (0.4 + 0.8 * Math.min(1, level));
      picture.values[index] = exposure.black + (1 - exposure.black) * light * heel + grain;
    }
  }
}

function pixelBoxes(scene: Scene, width: number, height: number, scale: number): PhantomBox[] {
  return scene.boxes.map(({ kind, ...box }) => {
    const x = Math.max(0, Math.floor(box.x * scale));
    const y = Math.max(0, Math.floor(box.y * scale));
    const right = Math.min(width, Math.ceil((box.x + box.width) * scale));
    const bottom = Math.min(height, Math.ceil((box.y + box.height) * scale));
    return { x, y, width: right - x, height: bottom - y, kind };
  });
}

/**
 * The picture of a view (0 to study.views - 1). The long side has `size` pixels. The same study, view and size give
 * the same bytes, whatever else is drawn.
 */
export function renderPhantom(study: PhantomStudy, view: number, size: number): PhantomImage {
  const scene = composeScene(study, view);
  const width = Math.round(scene.width * size);
  const height = Math.round(scene.height * size);
  const picture = attenuation(scene, width, height, size);
  const metal = makeRaster(width, height, size);
  for (const rod of scene.rods) drawRod(metal, rod);
  develop(scene, picture, metal);
  collimate(scene, picture);
  const grey = new Uint8Array(width * height);
  for (let index = 0; index < grey.length; index++) {
    grey[index] = Math.round(255 * Math.min(1, Math.max(0, picture.values[index] as number)));
  }
  return { width, height, grey, boxes: pixelBoxes(scene, width, height, size) };
}
