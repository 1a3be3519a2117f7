import { describe, expect, test } from 'vitest';
import { planPhantom } from '../../../src/data/phantom/index.ts';

describe('planPhantom', () => {
  const plan = planPhantom({ studies: 1000, seed: 3 });

  test('gives as many studies as asked for, a fifth of them for validation', () => {
    expect(plan).toHaveLength(1000);
    expect(plan.filter(({ split }) => split === 'valid')).toHaveLength(200);
    for (const studies of [1, 2, 7]) expect(planPhantom({ studies, seed: 0 })).toHaveLength(studies);
    expect(planPhantom({ studies: 10, seed: 0, validFraction: 0 }).every(({ split }) => split === 'train')).toBe(true);
  });

  test('keeps the patients of the two splits apart', () => {
    const patients = (split: string): Set<number> =>
      new Set(plan.filter((study) => study.split === split).map(({ patient }) => patient));
    const valid = patients('valid');
    expect([...patients('train')].filter((patient) => valid.has(patient))).toEqual([]);
    expect(valid.size).toBeGreaterThan(140);
    expect(valid.size).toBeLessThan(200);
  });

  test('has the mix of regions and labels of MURA in each split', () => {
    // Table 2 of MURA: 5,715 of 14,656 studies are abnormal; 3,697 are of the wrist, 1,423 of them abnormal.
    for (const [split, count] of [
      ['train', 800],
      ['valid', 200],
    ] as const) {
      const own = plan.filter((study) => study.split === split);
      const wrists = own.filter(({ region }) => region === 'XR_WRIST');
      expect(Math.abs(own.filter(({ label }) => label === 1).length - (count * 5715) / 14656)).toBeLessThanOrEqual(7);
      expect(Math.abs(wrists.length - (count * 3697) / 14656)).toBeLessThanOrEqual(1);
      expect(Math.abs(wrists.filter(({ label }) => label === 1).length - (count * 1423) / 14656)).toBeLessThanOrEqual(
        1,
      );
    }
  });

  test('numbers the studies of a patient in one region, so that no two share a folder', () => {
    const folders = plan.map(({ region, patient, study }) => `${region}/${patient}/${study}`);
    expect(new Set(folders).size).toBe(1000);
    expect(plan.some(({ study }) => study > 1)).toBe(true);
  });

  test('draws one to four views, 2.7 on average', () => {
    const views = plan.map((study) => study.views);
    expect(new Set(views)).toEqual(new Set([1, 2, 3, 4]));
    expect(views.reduce((sum, count) => sum + count) / 1000).toBeCloseTo(2.7, 0);
  });

  test('follows the seed alone', () => {
    expect(planPhantom({ studies: 1000, seed: 3 })).toEqual(plan);
    expect(planPhantom({ studies: 1000, seed: 4 })).not.toEqual(plan);
  });

  test('refuses what cannot be planned', () => {
    expect(() => planPhantom({ studies: 0, seed: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: phantom: 0 studies asked for, expected an integer of at least 1]`,
    );
    expect(() => planPhantom({ studies: 2.5, seed: 1 })).toThrow('2.5 studies');
    expect(() => planPhantom({ studies: 2, seed: 1, validFraction: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: phantom: validation share is 1, expected at least 0 and less than 1]`,
    );
    expect(() => planPhantom({ studies: 2, seed: 1, validFraction: Number.NaN })).toThrow('validation share');
  });
});
