import type { Random } from '../../base/random.ts';
import type { Build, Pose } from './body.ts';
import { type Bone, pointOn } from './bone.ts';
import { between, type Camera, type Point, project } from './geometry.ts';
import { rayBoneName, rayJoints } from './hand.ts';
import { type PhantomStudy, studyStream } from './plan.ts';
import { REGION_SHAPES, type Region, type SiteRange } from './regions.ts';

/** Least distance of a site from the image's edges. */
const SITE_MARGIN = 0.17;

/** Where a study's abnormality is, or would be: normal studies have a site too, so that framing tells nothing. */
export interface Site {
  readonly bone: string;
  readonly t: number;
  /** The finger in the middle of a finger's picture. */
  readonly ray: number;
  /** The finger is seen without its neighbours. */
  readonly alone: boolean;
}

/** The site of a study's abnormality. */
export function drawSite(study: PhantomStudy): Site {
  const random = studyStream(study, 'site');
  const ray = random.integer(5);
  const fingerSites = [0, 1, 2].map((segment): SiteRange => ({ bone: rayBoneName(ray, segment), from: 0.25, to: 0.8 }));
  const sites = study.region === 'XR_FINGER' ? fingerSites.slice(1) : REGION_SHAPES[study.region].sites;
  const range = random.pick(sites);
  return { bone: range.bone, t: random.uniform(range.from, range.to), ray, alone: random.chance(0.5) };
}

/** Where a view looks from, but for its place on the picture. */
export function drawView(region: Region, build: Build, pose: Pose, site: Site, random: Random): Omit<Camera, 'centre'> {
  const shape = REGION_SHAPES[region];
  const [least, most] = shape.field;
  let focus: Point = {
    x: shape.focus.x + random.uniform(-1, 1) * shape.wander.x,
    y: shape.focus.y + random.uniform(-1, 1) * shape.wander.y,
  };
  let angle = shape.upright + random.uniform(-shape.tilt, shape.tilt);
  const mirror = random.chance(0.5);
  if (region === 'XR_FINGER') {
    const joints = rayJoints(site.ray, build, pose);
    const [a, b] = [joints[1] as Point, joints[joints.length - 1] as Point];
    focus = between(a, b, random.uniform(0.35, 0.6));
    const direction = (Math.atan2(b.x - a.x, a.y - b.y) * 180) / Math.PI;
    angle += mirror ? direction : -direction;
  }
  return { focus, angle: (angle * Math.PI) / 180, zoom: 1 / random.uniform(least, most), mirror };
}

/** Puts the focus near the middle, and the site well inside. */
export function frame(
  camera: Omit<Camera, 'centre'>,
  bones: readonly Bone[],
  site: Site,
  width: number,
  height: number,
  random: Random,
): Camera {
  const middle = { x: width * random.uniform(0.4, 0.6), y: height * random.uniform(0.4, 0.6) };
  const first: Camera = { ...camera, centre: middle };
  const bone = bones.find(({ name }) => name === site.bone);
  if (bone === undefined) return first;
  const at = project(first, pointOn(bone, site.t));
  const inside = (value: number, size: number): number =>
    Math.min(size - SITE_MARGIN, Math.max(SITE_MARGIN, value)) - value;
  return { ...first, centre: { x: middle.x + inside(at.x, width), y: middle.y + inside(at.y, height) } };
}
