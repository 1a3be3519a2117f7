import { afterEach, describe, expect, test } from 'vitest';
import { type Tunable, tunablesOf, tune } from '../../src/bench/tune.ts';
import { type Choices, NO_CHOICES } from '../../src/graph/choices.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { f32, type Launch, type LaunchContext, type Variant } from '../../src/kernels/definition.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();
const own = conv2d.variants;
const direct = own.at(-1) as Variant<unknown>;

/** Gives conv2d other variants until the test ends. */
function useVariants(...variants: readonly Variant<unknown>[]): void {
  (conv2d as { variants: readonly Variant<unknown>[] }).variants = variants;
}
afterEach(() => useVariants(...own));

type Change = (launch: Launch, context: LaunchContext<unknown>) => Launch[];

/** `direct` under another name, each of whose launches is changed. */
const changed = (name: string, change: Change): Variant<unknown> => ({
  ...direct,
  name,
  launches: (context) => direct.launches(context).flatMap((launch) => change(launch, context)),
});

const uniform = (launch: Launch, name: string, change: (value: number) => number): Launch => {
  const before = launch.uniforms[name];
  if (before === undefined) throw new Error(`${launch.shader} has no uniform ${name}`);
  return { ...launch, uniforms: { ...launch.uniforms, [name]: change(before) } };
};

/** Right, and so slow that no noise hides it: the same result, many times over. */
const slow = changed('slow', (launch) => new Array(64).fill(launch));
const lame = changed('lame', (launch) => new Array(8).fill(launch));
/** As fast as nothing at all. */
const idle = changed('idle', () => []);
const shifted = changed('shifted', (launch) => [uniform(launch, 'padX', (value) => value + 1)]);
const broken = changed('broken', (launch) => [{ ...launch, entry: 'no_such_entry' }]);
const throwing = changed('throwing', () => {
  throw new TypeError('no launch today');
});

/** A convolution of `size` x `size` pixels, given twice. */
function tunables(size: number): Tunable[] {
  const attributes = { stride: [1, 1], padding: [1, 1], groups: 1 };
  const layer = { op: conv2d, name: 'conv2d of layer', inputs: [f32(1, size, size, 8), f32(3, 3, 8, 16)], attributes };
  return tunablesOf([layer, layer], device().traits);
}

function tunable(size: number): Tunable {
  const [one, ...others] = tunables(size);
  if (!one || others.length > 0) throw new Error('expected one size');
  return one;
}

async function tuned(tunables: readonly Tunable[], before: Choices = NO_CHOICES) {
  const notes: string[] = [];
  const progress: number[] = [];
  const result = await tune(device(), tunables, before, {
    rounds: 3,
    signal: new AbortController().signal,
    note: (line) => notes.push(line),
    onProgress: (done) => progress.push(done),
  });
  return { ...result, notes, progress };
}

describe('what is chosen', () => {
  test('is the fastest, wherever it is in the order of the op', async () => {
    for (const order of [
      [slow, direct],
      [direct, slow],
      [slow, direct, lame],
    ]) {
      useVariants(...order);
      const one = tunable(16);
      expect(one.variants).toEqual(order.map(({ name }) => name));
      expect(await tuned([one])).toMatchObject({
        choices: { [one.key]: 'direct' },
        wrong: [],
        notes: [],
        progress: [1],
      });
    }
  });

  test("is among a network's own variants, all of which are right", async () => {
    const one = tunable(16);
    const { choices, wrong } = await tuned([one]);
    expect(wrong).toEqual([]);
    expect(one.variants).toContain(choices[one.key]);
  });

  test('stays what it was at other sizes', async () => {
    useVariants(slow, direct);
    const one = tunable(16);
    const before = { choices: { [one.key]: 'slow', elsewhere: 'slow' }, wrong: [] };
    expect((await tuned([one], before)).choices).toEqual({ [one.key]: 'direct', elsewhere: 'slow' });
  });

  test('is nothing where only one variant fits, which is checked all the same', async () => {
    useVariants(direct);
    expect(await tuned([tunable(16)])).toMatchObject({ choices: {}, wrong: [], notes: [], progress: [1] });
    useVariants(shifted);
    const one = tunable(16);
    const { choices, wrong, notes } = await tuned([one]);
    expect({ choices, wrong }).toEqual({
      choices: {},
      wrong: [{ op: 'conv2d', variant: 'shifted', size: one.key, fault: expect.stringContaining('(shifted): y[') }],
    });
    expect(notes).toEqual([
      expect.stringMatching(/^conv2d: the variant shifted is wrong on this adapter and will not /),
    ]);
  });
});

describe('a variant that is wrong is reported, remembered and not chosen', () => {
  test.each([
    ['writes nothing', idle, /elements differ|is NaN but expected/],
    ['computes something else', shifted, /^conv2d of .+ \(shifted\): y\[\d+\] is .+ but expected .+ \+- /],
    ['does not compile', broken, /^does not run: internal: .*no_such_entry/],
    ['throws', throwing, /^does not run: no launch today$/],
  ])('one that %s', async (_, wrong, fault) => {
    useVariants(wrong, slow, direct);
    const one = tunable(16);
    const found = await tuned([one]);
    expect(found.choices).toEqual({ [one.key]: 'direct' });
    expect(found.wrong).toEqual([
      { op: 'conv2d', variant: wrong.name, size: one.key, fault: expect.stringMatching(fault) },
    ]);
    expect(found.notes).toEqual([
      `conv2d: the variant ${wrong.name} is wrong on this adapter and will not be used: ${found.wrong[0]?.fault}`,
    ]);
  });

  test('one that is wrong at one size alone is chosen at no size', async () => {
    const narrow = changed('narrow', (launch, { inputs }) => (inputs[0]?.shape[1] === 16 ? [launch] : []));
    useVariants(narrow, lame);
    const [right, wrong] = [tunable(16), tunable(12)];
    const expected = { [right.key]: 'lame', [wrong.key]: 'lame' };
    expect((await tuned([right, wrong])).choices).toEqual(expected);
    expect((await tuned([wrong, right])).choices).toEqual(expected);
  });

  test('what was wrong at other sizes stays so, what is right now does not', async () => {
    useVariants(direct, lame, slow);
    const one = tunable(16);
    const seen = (variant: string, size: string) => ({ op: 'conv2d', variant, size, fault: 'before' });
    const before = { choices: {}, wrong: [seen('direct', 'elsewhere'), seen('lame', one.key)] };
    expect(await tuned([one], before)).toMatchObject({
      choices: { [one.key]: 'lame' },
      wrong: [seen('direct', 'elsewhere')],
      notes: [],
    });
  });

  test('one that is wrong now is no longer chosen at other sizes', async () => {
    useVariants(idle, direct);
    const one = tunable(16);
    const before = { choices: { 'conv2d elsewhere': 'idle', 'conv3d elsewhere': 'idle' }, wrong: [] };
    const { choices } = await tuned([one], before);
    expect(choices).toEqual({ 'conv3d elsewhere': 'idle', [one.key]: 'direct' });
  });

  test('nothing is chosen where all are wrong', async () => {
    useVariants(idle, broken);
    const { choices, wrong } = await tuned([tunable(16)]);
    expect(choices).toEqual({});
    expect(wrong.map(({ variant }) => variant)).toEqual(['idle', 'broken']);
  });
});

test('a size that does not fit the adapter with guards is told and left as it was', async () => {
  const { maxBindingBytes } = device().traits;
  const one = tunable(16);
  const [x, weight] = one.inputs;
  if (!x || !weight) throw new Error('expected x and weight');
  const rows = maxBindingBytes / 4 / (16 * 8);
  const large = {
    ...one,
    inputs: [
      { ...x, shape: [1, rows, 16, 8] },
      { ...weight, shape: [3, 3, 8, 8] },
    ],
  };
  const found = await tuned([large], { choices: { [one.key]: 'before' }, wrong: [] });
  expect(found).toMatchObject({ choices: { [one.key]: 'before' }, wrong: [] });
  expect(found.notes).toEqual([
    expect.stringMatching(
      /^conv2d of layer is not checked: input 0 cannot be bound with a guard: it has \d+ bytes of /,
    ),
  ]);
});

test('an interruption ends it', async () => {
  const options = { rounds: 3, signal: AbortSignal.abort(new Error('stop')), note: () => {}, onProgress: () => {} };
  await expect(tune(device(), [tunable(16)], NO_CHOICES, options)).rejects.toThrow('stop');
});
