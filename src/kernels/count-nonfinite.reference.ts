import { required } from '../base/errors.ts';
import { at, exact, type Reference } from './reference.ts';

export const countNonfiniteReference: Reference<Record<never, never>> = ([x, into]) => {
  const { values } = required(x, 'count_nonfinite: x');
  let count = into ? at(into, 0) : 0;
  for (const value of values) if (!Number.isFinite(value)) count++;
  return () => exact(count);
};
