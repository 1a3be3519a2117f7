import { UserError } from '../../base/errors.ts';
import { fnv1a32, Random } from '../../base/random.ts';
import { REGIONS, type Region } from './regions.ts';

export type Split = 'train' | 'valid';

/** One study: all of its pictures follow from these fields. Plain data, so that it can be handed to a worker. */
export interface PhantomStudy {
  readonly seed: number;
  /** Position in the plan. */
  readonly index: number;
  readonly split: Split;
  readonly region: Region;
  /** Counted from 1 over both splits; no patient is in both. */
  readonly patient: number;
  /** Counted from 1 within a patient's region. */
  readonly study: number;
  /** 1: abnormal. */
  readonly label: 0 | 1;
  readonly views: number;
}

export interface PhantomOptions {
  /** In both splits together. */
  readonly studies: number;
  readonly seed: number;
  /** Share of the studies in the validation split; default 0.2. */
  readonly validFraction?: number;
}

/** Normal and abnormal studies of MURA v1.1, both splits together (Rajpurkar et al. 2018, https://arxiv.org/abs/1712.06957). */
const MURA_STUDIES: Readonly<Record<Region, readonly [normal: number, abnormal: number]>> = {
  XR_ELBOW: [1186, 726],
  XR_FINGER: [1372, 738],
  XR_FOREARM: [659, 351],
  XR_HAND: [1598, 587],
  XR_HUMERUS: [389, 338],
  XR_SHOULDER: [1463, 1552],
  XR_WRIST: [2274, 1423],
};

/** The random numbers of one purpose in a study, or in one of its views. */
export function studyStream(study: PhantomStudy, purpose: string, view = 0): Random {
  return new Random(study.seed, fnv1a32(`phantom ${purpose}`), study.index, view);
}

/** Chances of at most 1, 2, 3 views (4 are the most); 2.7 on average, as in MURA. */
const VIEWS_BELOW = [0.12, 0.38, 0.8];
/** Chance that a patient comes back for another study. */
const RETURN_CHANCE = 0.15;

interface Cell {
  readonly region: Region;
  readonly label: 0 | 1;
  readonly weight: number;
}

const CELLS: readonly Cell[] = REGIONS.flatMap((region) =>
  ([0, 1] as const).map((label): Cell => ({ region, label, weight: MURA_STUDIES[region][label] })),
);

/** `count` cells in MURA's proportions, each within one of its share (systematic sampling), in random order. */
function dealCells(count: number, random: Random): Cell[] {
  const total = CELLS.reduce((sum, { weight }) => sum + weight, 0);
  const start = random.uniform();
  const dealt: Cell[] = [];
  let passed = 0;
  for (const cell of CELLS) {
    passed += cell.weight;
    while (dealt.length < count && ((dealt.length + start) / count) * total < passed) dealt.push(cell);
  }
  return Array.from(random.permutation(count), (position) => dealt[position] as Cell);
}

function drawViews(random: Random): number {
  const point = random.uniform();
  const passed = VIEWS_BELOW.findIndex((chance) => point < chance);
  return passed < 0 ? VIEWS_BELOW.length + 1 : passed + 1;
}

/**
 * The studies of a phantom data set in MURA's mix of regions and labels.
 * @throws UserError where `studies` is no positive integer or `validFraction` is outside [0, 1).
 */
export function planPhantom({ studies, seed, validFraction = 0.2 }: PhantomOptions): PhantomStudy[] {
  if (!Number.isInteger(studies) || studies < 1)
    throw new UserError(`phantom: ${studies} studies asked for, expected an integer of at least 1`);
  if (!(validFraction >= 0 && validFraction < 1))
    throw new UserError(`phantom: validation share is ${validFraction}, expected at least 0 and less than 1`);
  const random = new Random(seed, fnv1a32('phantom plan'));
  const valid = Math.round(studies * validFraction);
  const plan: PhantomStudy[] = [];
  let patient = 0;
  for (const [split, count] of [
    ['train', studies - valid],
    ['valid', valid],
  ] as const) {
    let seen = new Map<Region, number>();
    for (const [position, { region, label }] of dealCells(count, random).entries()) {
      if (position === 0 || !random.chance(RETURN_CHANCE)) {
        patient++;
        seen = new Map();
      }
      const study = (seen.get(region) ?? 0) + 1;
      seen.set(region, study);
      plan.push({ seed, index: plan.length, split, region, patient, study, label, views: drawViews(random) });
    }
  }
  return plan;
}
