import { InternalError } from '../base/errors.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

export async function run(_options: Options<'start'>, _context: Context): Promise<Output> {
  throw new InternalError('start is not implemented');
}
