import { fnv1a32, Random } from '../../base/random.ts';
import { ABNORMALITIES, type AbnormalityKind, drawAbnormality, IMPLANT_CHANCE } from './abnormalities.ts';
import { makeArm } from './anatomy.ts';
import { type Build, drawBuild, type Limb } from './body.ts';
import { type Bone, projectBone } from './bone.ts';
import { boneIsland, decoyMetal, sideMarker } from './distractors.ts';
import { drawSite, drawView, frame, type Site } from './framing.ts';
import { type Camera, project, type SceneBox } from './geometry.ts';
import type { Lesion } from './lesion.ts';
import type { Rod } from './metal.ts';
import { type PhantomStudy, studyStream } from './plan.ts';
import { drawPose, REGION_SHAPES } from './regions.ts';

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

/** Pictures stand upright: the long side is the height. */
const HEIGHT = 1;

/**
 * Chance of metal that is not a side marker. Abnormal pictures have it as often as normal ones, implants counted, so
 * that bright pixels alone tell nothing.
 */
const METAL_CHANCE = 0.48;
/** Chance of other metal in an abnormal picture without an implant. */
const DECOY_CHANCE = (METAL_CHANCE - IMPLANT_CHANCE) / (1 - IMPLANT_CHANCE);

function buildOf(study: PhantomStudy): Build {
  const key = fnv1a32('phantom bone');
  const keyed = (name: string): number =>
    new Random(study.seed, key, study.split === 'train' ? 0 : 1, study.patient, fnv1a32(name)).uniform(-1, 1);
  return drawBuild(new Random(study.seed, key, study.split === 'train' ? 0 : 1, study.patient), keyed);
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

/** Kind, form and place of the abnormality are the study's; how it looks from a side is the view's. */
function addFindings(
  study: PhantomStudy,
  view: number,
  site: Site,
  bones: readonly Bone[],
): Pick<Scene, 'bones' | 'lesions' | 'rods' | 'boxes'> {
  const target = bones.find(({ name }) => name === site.bone);
  if (study.label === 0 || target === undefined) return { bones, lesions: [], rods: [], boxes: [] };
  const abnormality = drawAbnormality(studyStream(study, 'abnormality'));
  const { kind } = abnormality;
  const finding = ABNORMALITIES[kind](target, site.t, abnormality, studyStream(study, 'finding', view));
  return {
    bones: bones.flatMap((bone) => (bone === target ? finding.bones : [bone])),
    lesions: finding.lesions,
    rods: finding.rods,
    boxes: [{ ...finding.box, kind }],
  };
}

/** Metal of no meaning: another stream than the rest, so that how much is drawn changes nothing else. */
function addMetal(
  study: PhantomStudy,
  view: number,
  site: Site,
  bones: readonly Bone[],
  width: number,
  implant: boolean,
): Rod[] {
  const random = studyStream(study, 'metal', view);
  const near = random.chance(0.6) ? bones.find(({ name }) => name === site.bone) : random.pick(bones);
  const marker = random.chance(0.6) ? sideMarker(width, HEIGHT, random) : [];
  const wanted = !implant && random.chance(study.label === 0 ? METAL_CHANCE : DECOY_CHANCE);
  return near !== undefined && wanted ? [...marker, ...decoyMetal(width, HEIGHT, near, random)] : marker;
}

/** Composes a view of a study. Only the findings and the metal depend on the label. */
export function composeScene(study: PhantomStudy, view: number): Scene {
  const random = studyStream(study, 'view', view);
  const site = drawSite(study);
  const build = buildOf(study);
  const drawn = drawPose(study.region, view, random);
  const pose = study.region === 'XR_FINGER' && site.alone ? { ...drawn, rays: [site.ray] } : drawn;
  const body = makeArm(build, pose);
  const [narrow, wide] = REGION_SHAPES[study.region].aspect;
  const width = random.uniform(narrow, wide);
  const camera = frame(drawView(study.region, build, pose, site, random), body.bones, site, width, HEIGHT, random);
  const bones = body.bones.map((bone) => projectBone(camera, bone));
  const islands = bones.filter(() => random.chance(0.06)).map((bone) => boneIsland(bone, random));
  const found = addFindings(study, view, site, bones);
  const metal = addMetal(study, view, site, bones, width, found.rods.length > 0);
  return {
    ...found,
    width,
    height: HEIGHT,
    zoom: camera.zoom,
    tissue: body.tissue.map((limb) => projectLimb(camera, limb)),
    lesions: [...islands, ...found.lesions],
    rods: [...found.rods, ...metal],
    ...drawField(width, HEIGHT, random),
    exposure: drawExposure(random),
    noiseSeed: random.bits(),
  };
}
