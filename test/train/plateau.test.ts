import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { PlateauState } from '../../src/train/plateau.ts';
import { PLATEAU_DEFAULTS, plateauStart, plateauStep } from '../../src/train/plateau.ts';

interface Trace {
  options: { factor: number; patience: number; cooldown?: number; min_lr?: number };
  lr: number[];
  num_bad_epochs: number[];
  best: number[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/scheduler.json', import.meta.url), 'utf8')) as {
  series: Record<string, number[]>;
};
const traces = golden as unknown as Record<string, Trace[]>;

describe('plateau', () => {
  const cases = Object.keys(golden.series).flatMap((series) =>
    (traces[series] as Trace[]).map((trace) => ({ series, trace, options: JSON.stringify(trace.options) })),
  );

  it.each(cases)('is ReduceLROnPlateau on $series with $options', ({ series, trace }) => {
    const { factor, patience, cooldown = 0, min_lr = 0 } = trace.options;
    const options = { ...PLATEAU_DEFAULTS, factor, patience, cooldown, minLearningRate: min_lr };
    let state = plateauStart(1e-4);
    const states: PlateauState[] = [];
    for (const loss of golden.series[series] as number[]) {
      state = plateauStep(JSON.parse(JSON.stringify(state)) as PlateauState, loss, options);
      states.push(state);
    }
    expect(states.map((one) => one.learningRate)).toEqual(trace.lr);
    expect(states.map((one) => one.badEpochs)).toEqual(trace.num_bad_epochs);
    expect(states.map((one) => one.best)).toEqual(trace.best);
  });

  it('covers every series and three sets of options', () => expect(cases).toHaveLength(12));

  it('counts NaN as no improvement, also as the first loss', () => {
    const first = plateauStep(plateauStart(1), Number.NaN, { ...PLATEAU_DEFAULTS, patience: 1 });
    expect(first).toEqual({ learningRate: 1, best: null, badEpochs: 1, cooldownLeft: 0 });
    const second = plateauStep(first, Number.POSITIVE_INFINITY, { ...PLATEAU_DEFAULTS, patience: 1 });
    expect(second).toEqual({ learningRate: 0.1, best: null, badEpochs: 0, cooldownLeft: 0 });
  });
});
