import { fnv1a32, hash32, Random } from '../../base/random.ts';
import { ABNORMALITIES, ABNORMALITY_KINDS, type AbnormalityKind } from './abnormalities.ts';
import { type Body, type Build, drawBuild, type Limb, makeArm, type Pose } from './anatomy.ts';
import { type Bone, pointOn, projectBone } from './bone.ts';
import { boneIsland, decoyMetal, sideMarker } from './distractors.ts';
import { between, type Camera, type Point, project, type SceneBox } from './geometry.ts';
import { rayBoneName, rayJoints } from './hand.ts';
import type { Lesion } from './lesion.ts';
import type { Rod } from './metal.ts';
import type { PhantomStudy } from './plan.ts';
import { drawPose, REGION_SHAPES, type SiteRange } from './regions.ts';

/** How the picture is exposed and developed. */
export interface Exposure {
  /** Grey of the brightest bone, and of air, 0 to 1. */
  readonly white: number;
  readonly black: number;
  readonly gamma: number;
  /** Attenuation of soft tissue as a share of bone's. */
  readonly softTissue: number;
  /** Standard deviation of the noise, a share of white. */
  readonly noise: number;
  /** Share of light that is left outside the collimated field. */
  readonly leakage: number;
  /** Change of brightness from one side to the other, and its direction in radians. */
  readonly heel: number;
  readonly heelAngle: number;
}

/** Everything in one picture, in scene units: the long side of the image is 1. */
export interface Scene {
  readonly width: number;
  readonly height: number;
  readonly bones: readonly Bone[];
  readonly tissue: readonly Limb[];
  /** Scene units per body unit. */
  readonly zoom: number;
  readonly lesions: readonly Lesion[];
  readonly rods: readonly Rod[];
  /** The collimated field: a rectangle turned about its centre. */
  readonly field: SceneBox;
  readonly fieldAngle: number;
  readonly exposure: Exposure;
  readonly boxes: readonly (SceneBox & { readonly kind: AbnormalityKind })[];
  /** Seeds the texture and the noise. */
  readonly noiseSeed: number;
}

/** Where a study's abnormality is, or would be: normal studies have a site too, so that framing tells nothing. */
interface Site {
  readonly bone: string;
  readonly t: number;
  /** The finger in the middle of a finger's picture. */
  readonly ray: number;
  /** The finger is seen without its neighbours. */
  readonly alone: boolean;
}

/**
 * Chance of metal that is not a side marker. Abnormal pictures have it as often as normal ones, implants counted, so
 * that bright pixels alone tell nothing.
 */
const METAL_CHANCE = 0.42;
/** Chance of other metal in an abnormal picture without an implant; a third of the abnormal ones have implants. */
const DECOY_CHANCE = (METAL_CHANCE - 1 / 3) / (2 / 3);

/** Least distance of a site from the image's edges. */
const SITE_MARGIN = 0.17;

function streamOf(study: PhantomStudy, purpose: string, ...words: number[]): Random {
  return new Random(study.seed, fnv1a32(`phantom ${purpose}`), study.index, ...words);
}

function drawSite(study: PhantomStudy): Site {
  const random = streamOf(study, 'site');
  const ray = random.integer(5);
  const fingerSites = [0, 1, 2].map((segment): SiteRange => ({ bone: rayBoneName(ray, segment), from: 0.25, to: 0.8 }));
  const sites = study.region === 'XR_FINGER' ? fingerSites.slice(1) : REGION_SHAPES[study.region].sites;
  const range = random.pick(sites);
  return { bone: range.bone, t: random.uniform(range.from, range.to), ray, alone: random.chance(0.5) };
}

function buildOf(study: PhantomStudy): Build {
  const key = fnv1a32('phantom bone');
  const keyed = (name: string): number =>
    new Random(study.seed, key, study.split === 'train' ? 0 : 1, study.patient, fnv1a32(name)).uniform(-1, 1);
  return drawBuild(new Random(study.seed, key, study.split === 'train' ? 0 : 1, study.patient), keyed);
}

function drawCamera(study: PhantomStudy, build: Build, pose: Pose, site: Site, random: Random): Omit<Camera, 'centre'> {
  const shape = REGION_SHAPES[study.region];
  const [least, most] = shape.field;
  let focus: Point = {
    x: shape.focus.x + random.uniform(-1, 1) * shape.wander.x,
    y: shape.focus.y + random.uniform(-1, 1) * shape.wander.y,
  };
  let angle = shape.upright + random.uniform(-shape.tilt, shape.tilt);
  const mirror = random.chance(0.5);
  if (study.region === 'XR_FINGER') {
    const joints = rayJoints(site.ray, build, pose);
    const [a, b] = [joints[1] as Point, joints[joints.length - 1] as Point];
    focus = between(a, b, random.uniform(0.35, 0.6));
    const direction = (Math.atan2(b.x - a.x, a.y - b.y) * 180) / Math.PI;
    angle += mirror ? direction : -direction;
  }
  return { focus, angle: (angle * Math.PI) / 180, zoom: 1 / random.uniform(least, most), mirror };
}

/** Puts the focus near the middle, and the site well inside. */
function frame(
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

function drawField(width: number, height: number, random: Random): Pick<Scene, 'field' | 'fieldAngle'> {
  const open = random.chance(0.4);
  const [left, right, top, bottom] = [0, 1, 2, 3].map(() =>
    open || random.chance(0.4) ? -1 : random.uniform(0, 0.09),
  ) as [number, number, number, number];
  return {
    field: { x: left, y: top, width: width - left - right, height: height - top - bottom },
    fieldAngle: random.uniform(-0.05, 0.05),
  };
}

function drawExposure(random: Random): Exposure {
  return {
    white: random.uniform(0.55, 0.78),
    black: random.uniform(0, 0.1),
    gamma: random.uniform(0.75, 1.35),
    softTissue: random.uniform(0.14, 0.26),
    noise: random.uniform(0.006, 0.022),
    leakage: random.chance(0.3) ? random.uniform(0.1, 0.4) : random.uniform(0, 0.06),
    heel: random.uniform(0, 0.2),
    heelAngle: random.uniform(0, 2 * Math.PI),
  };
}

function projectLimb(camera: Camera, limb: Limb): Limb {
  return {
    ...limb,
    from: project(camera, limb.from),
    to: project(camera, limb.to),
    fromRadius: limb.fromRadius * camera.zoom,
    toRadius: limb.toRadius * camera.zoom,
  };
}

/** The abnormality's kind, place and severity are the study's; they are the same in all its views. */
function addFindings(
  study: PhantomStudy,
  site: Site,
  bones: readonly Bone[],
): Pick<Scene, 'bones' | 'lesions' | 'rods' | 'boxes'> {
  const target = bones.find(({ name }) => name === site.bone);
  if (study.label === 0 || target === undefined) return { bones, lesions: [], rods: [], boxes: [] };
  const random = streamOf(study, 'abnormality');
  const kind = random.pick(ABNORMALITY_KINDS);
  const finding = ABNORMALITIES[kind](target, site.t, random.chance(0.18), random);
  return {
    bones: [...bones.filter((bone) => bone !== target), ...finding.bones],
    lesions: finding.lesions,
    rods: finding.rods,
    boxes: [{ ...finding.box, kind }],
  };
}

/** Composes a view of a study. */
export function composeScene(study: PhantomStudy, view: number): Scene {
  const random = streamOf(study, 'view', view);
  const site = drawSite(study);
  const build = buildOf(study);
  const drawn = drawPose(study.region, view, random);
  const pose = study.region === 'XR_FINGER' && site.alone ? { ...drawn, rays: [site.ray] } : drawn;
  const body: Body = makeArm(build, pose);
  const [narrow, wide] = REGION_SHAPES[study.region].aspect;
  const width = random.uniform(narrow, wide);
  const height = 1;
  const camera = frame(drawCamera(study, build, pose, site, random), body.bones, site, width, height, random);
  const bones = body.bones.map((bone) => projectBone(camera, bone));
  const found = addFindings(study, site, bones);
  const near = bones.find(({ name }) => name === site.bone && random.chance(0.6)) ?? random.pick(bones);
  const decoys = study.label === 0 ? METAL_CHANCE : DECOY_CHANCE;
  const metal = found.rods.length === 0 && random.chance(decoys) ? decoyMetal(width, height, near, random) : [];
  const marker = random.chance(0.6) ? sideMarker(width, height, random) : [];
  const islands = bones.filter(() => random.chance(0.06)).map((bone) => boneIsland(bone, random));
  return {
    ...found,
    width,
    height,
    zoom: camera.zoom,
    tissue: body.tissue.map((limb) => projectLimb(camera, limb)),
    lesions: [...islands, ...found.lesions],
    rods: [...found.rods, ...metal, ...marker],
    ...drawField(width, height, random),
    exposure: drawExposure(random),
    noiseSeed: hash32(random.bits(), view),
  };
}
