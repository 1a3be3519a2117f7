import { describe, expect, test } from 'vitest';
import { checkCase } from '../../src/graph/check/check-case.ts';
import { checkGradients } from '../../src/graph/check/check-gradients.ts';
import { opCases } from '../../src/kernels/cases.ts';
import { ops } from '../../src/kernels/index.ts';
import { ALL } from '../models/tier.ts';
import { adapterKind, describeWithHalves } from '../support/adapter.ts';
import { HARDWARE_KERNELS, MODES } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';

/** Fails with all lines; `toEqual([])` would print the first characters of one. */
function expectNone(differences: readonly string[]): void {
  if (differences.length > 0) expect.fail(differences.join('\n'));
}

describe('the list of cases', () => {
  test('every op has a reference and at least one case', () => {
    const listed = new Map(opCases.map(({ op, cases }) => [op, cases.length]));
    expect(ops.filter((op) => !listed.get(op)).map((op) => op.name)).toEqual([]);
    expect(opCases.filter(({ op }) => !ops.includes(op)).map(({ op }) => op.name)).toEqual([]);
  });

  test('no op has two cases of one name', () => {
    const names = opCases.flatMap(({ op, cases }) => cases.map(({ name }) => `${op.name} ${name}`));
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('whatever is cut into ranges of images is tried as a slice of a wider map', () => {
    const slots = opCases.flatMap(({ op, maps = [] }) =>
      op.images && op.variants.length > 0
        ? op.inputs.flatMap((_, slot) =>
            op.images?.whole?.includes(slot) || maps.includes(slot) ? [] : [[op.name, slot]],
          )
        : [],
    );
    expect(slots).toEqual([]);
  });

  test('the gradient of every differentiable op is compared', () => {
    const compared = opCases.filter(({ cases }) => cases.some(({ differentiate }) => differentiate));
    expect(compared.map(({ op }) => op.name).sort()).toEqual(
      ops
        .filter((op) => op.backward)
        .map((op) => op.name)
        .sort(),
    );
  });
});

// The embedded adapter takes seconds to compile some of a GPU's kernels, and long for the others too: one mode there.
const modes = adapterKind === 'embedded' ? MODES.slice(0, 1) : [...MODES, HARDWARE_KERNELS];

describe.each(modes)('$name', (mode) => {
  const device = useDevice(mode);

  for (const one of opCases) {
    describe(one.op.name, () => {
      test.each(one.cases.map((found) => ({ ...found, found })))('$name', async ({ found }) => {
        expectNone(await checkCase(device(), one, found));
        if (one.maps) {
          expectNone(await checkCase(device(), one, found, { slices: { before: 4, after: 8 } }));
          expectNone(await checkCase(device(), one, found, { slices: { before: 3, after: 2 } }));
        }
        if (found.differentiate) expectNone(await checkGradients(device(), one, found));
      });
    });
  }
});

const takesHalves = opCases.filter(({ op: { half } }) => half);
const slices = { before: 4, after: 8 };

describeWithHalves.each(modes)('maps in f16 $name', (mode) => {
  const device = useDevice(mode);

  for (const one of takesHalves) {
    // Neither bounds checks nor the grids depend on what is stored: in the other modes a few cases do.
    const cases = ALL || mode === modes[0] ? one.cases : one.cases.slice(0, 3);
    describe(one.op.name, () => {
      test.each(cases.map((found) => ({ ...found, found })))('$name', async ({ found }) => {
        expectNone(await checkCase(device(), one, found, { halves: true, ...(one.maps ? { slices } : {}) }));
      });
    });
  }
});
