import { UsageError, UserError } from '../base/errors.ts';

/** Runs a check of what the command line gave: a UserError from it is wrong usage, exit code 2. */
export function asUsage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof UserError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
