import { required } from '../base/errors.ts';
import { channelsOf, rowsOf } from '../base/shape.ts';
import { at, type Reference, Sum } from './reference.ts';

/** sum[c] over all rows. */
export const sumOverRowsReference: Reference<Record<never, never>> = ([input]) => {
  const x = required(input, 'x');
  const channels = channelsOf(x.shape);
  return (_, channel) => {
    const sum = new Sum();
    for (let row = 0; row < rowsOf(x.shape); row++) sum.add(at(x, row * channels + channel));
    return sum.element();
  };
};
