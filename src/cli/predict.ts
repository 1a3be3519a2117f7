import { InternalError } from '../base/errors.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

export async function run(_options: Options<'predict'>, _context: Context): Promise<Output> {
  throw new InternalError('predict is not implemented');
}
