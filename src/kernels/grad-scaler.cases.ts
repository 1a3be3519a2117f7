import { given, words } from './draw.ts';
import { gradScalerReference } from './grad-scaler.reference.ts';
import { ATTEMPT_WORDS, type GradScalerAttributes, gradScaler } from './grad-scaler.ts';
import type { Case, CaseInput, OpCases } from './reference.ts';

/** The words of an attempt with torch.optim.Adam's defaults. */
function attempt(rate: number): CaseInput {
  const scalars = Float32Array.of(0, rate, Math.log(0.9), Math.log(0.999), 1 - 0.9, 1 - 0.999, 1e-8);
  const bits = new Uint32Array(scalars.buffer);
  bits[0] = 7;
  return words([ATTEMPT_WORDS], bits);
}

const scaling = (
  name: string,
  state: readonly [scale: number, good: number, steps: number],
  nonfinite = 0,
): Case<GradScalerAttributes> => ({
  name,
  inputs: [given([3], state), words([1], [nonfinite]), attempt(1e-4)],
  attributes: { growthInterval: 2000 },
});

export const gradScalerCases: OpCases<GradScalerAttributes> = {
  op: gradScaler,
  reference: gradScalerReference,
  cases: [
    scaling('the first step', [65536, 0, 0]),
    scaling('the fourth good step', [65536, 3, 3]),
    scaling('around the end of the series', [32768, 10, 499]),
    scaling('the 2000th good step: the scale is doubled', [1024, 1999, 5000]),
    scaling('a step of many, whose corrections are 1', [2, 12, 100000]),
    scaling('overflow at the first step', [65536, 0, 0], 1),
    scaling('overflow after 1999 good steps', [8192, 1999, 1999], 4000000),
    scaling('overflow of a scale below 1', [0.25, 3, 20], 2),
    scaling('the largest scale stays', [2 ** 127, 1999, 20]),
  ],
};
