import { describe, expect, test } from 'vitest';
import { type PhantomStudy, planPhantom, renderPhantom } from '../../../src/data/phantom/index.ts';

const PLAN = planPhantom({ studies: 70, seed: 5 });

function otherLabel(study: PhantomStudy): PhantomStudy {
  return { ...study, label: study.label === 1 ? 0 : 1 };
}

describe('renderPhantom', () => {
  test('gives the same bytes for the same study, view and size, whatever was drawn before', () => {
    const [first, second] = PLAN as [PhantomStudy, PhantomStudy];
    const before = renderPhantom(first, 0, 96);
    renderPhantom(second, 1, 64);
    expect(renderPhantom(structuredClone(first), 0, 96)).toEqual(before);
    expect(renderPhantom({ ...first, seed: 6 }, 0, 96).grey).not.toEqual(before.grey);
    expect(renderPhantom(first, 1, 96).grey).not.toEqual(before.grey);
  });

  test('the long side has the size asked for, the short side at least 7 tenths of it', () => {
    for (const study of PLAN.slice(0, 30)) {
      const { width, height, grey } = renderPhantom(study, 0, 80);
      expect(grey).toHaveLength(width * height);
      expect(Math.max(width, height)).toBe(80);
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(55);
    }
  });

  test('every abnormal image has one box within it, no normal image has any', () => {
    for (const study of PLAN) {
      for (let view = 0; view < study.views; view++) {
        const { width, height, boxes } = renderPhantom(study, view, 48);
        expect(boxes).toHaveLength(study.label);
        for (const box of boxes) {
          expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(0);
          expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(3);
          expect(box.x + box.width).toBeLessThanOrEqual(width);
          expect(box.y + box.height).toBeLessThanOrEqual(height);
        }
      }
    }
  });

  test('boxes are compact, and not all in the middle', () => {
    // Large enough that rounding to whole pixels does not swell the boxes.
    const seen = PLAN.filter(({ label }) => label === 1).map((study) => renderPhantom(study, 0, 192));
    const shares = seen.map(({ width, height, boxes }) => {
      const box = boxes[0] as (typeof boxes)[number];
      return (box.width * box.height) / (width * height);
    });
    expect(shares.reduce((sum, share) => sum + share) / shares.length).toBeLessThan(0.1);
    const away = seen.filter(({ width, height, boxes }) => {
      const box = boxes[0] as (typeof boxes)[number];
      return (
        box.x > width / 2 || box.x + box.width < width / 2 || box.y > height / 2 || box.y + box.height < height / 2
      );
    });
    expect(away.length).toBeGreaterThan(seen.length / 3);
  });

  test('all three kinds of abnormality occur, and a study shows one in all its views', () => {
    const abnormal = PLAN.filter(({ label }) => label === 1);
    const kinds = abnormal.map((study) => {
      const own = Array.from({ length: study.views }, (_, view) => renderPhantom(study, view, 40).boxes[0]?.kind);
      expect(new Set(own).size).toBe(1);
      return own[0];
    });
    expect(new Set(kinds)).toEqual(new Set(['fracture', 'lesion', 'implant']));
  });

  test('the abnormality changes the picture in its box, and exposure does not follow the label', () => {
    // The same study drawn with the other label: framing, exposure and noise must stay the same. What is left outside
    // the box is metal and the rest of a displaced fragment, few pixels, and the window, which follows a quantile of the
    // picture: the median tells whether the picture as a whole has changed.
    let inside = 0;
    let insidePixels = 0;
    const outside: number[] = [];
    for (const study of PLAN.filter(({ label, region }) => label === 1 && region === 'XR_WRIST')) {
      const a = renderPhantom(study, 0, 96);
      const b = renderPhantom(otherLabel(study), 0, 96);
      expect([b.width, b.height]).toEqual([a.width, a.height]);
      const box = a.boxes[0] as (typeof a.boxes)[number];
      a.grey.forEach((grey, index) => {
        const x = index % a.width;
        const y = Math.floor(index / a.width);
        const within = x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
        const change = Math.abs(grey - (b.grey[index] as number));
        if (within) {
          inside += change;
          insidePixels++;
        } else {
          outside.push(change);
        }
      });
    }
    expect(inside / insidePixels).toBeGreaterThan(10);
    expect(outside.sort((a, b) => a - b)[Math.floor(outside.length / 2)]).toBeLessThan(4);
  });

  test('mean grey tells normal from abnormal no better than chance within a region', () => {
    const means: Record<0 | 1, number[]> = { 0: [], 1: [] };
    const shape = PLAN[0] as PhantomStudy;
    for (let index = 0; index < 160; index++) {
      const label = index % 2 === 0 ? 0 : 1;
      const { grey } = renderPhantom({ ...shape, region: 'XR_ELBOW', label, index, patient: index + 1 }, 0, 32);
      means[label].push(grey.reduce((sum, value) => sum + value, 0) / grey.length);
    }
    const wins = means[1].map((abnormal) => means[0].filter((normal) => abnormal > normal).length);
    const auc = wins.reduce((sum, count) => sum + count, 0) / (means[0].length * means[1].length);
    // The standard deviation of the AUC of 80 against 80 without any effect is 0.046.
    expect(Math.abs(auc - 0.5)).toBeLessThan(0.14);
  });
});
