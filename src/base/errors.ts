/** A mistake of the caller or of the data: shown as one clear line, without a stack. */
export class UserError extends Error {
  override name = 'UserError';
}

/** Wrong usage of a command: unknown flag, missing argument, value out of range. Exit code 2. */
export class UsageError extends UserError {
  override name = 'UsageError';
}

/** Operands that do not fit each other; the message names the op and every shape. */
export class ShapeError extends UserError {
  override name = 'ShapeError';
}

/**
 * What is planned does not fit the adapter: its memory, or the largest buffer it takes. Fewer or smaller images may fit.
 * `what` says what was needed and what there is.
 */
export class OutOfMemoryError extends UserError {
  override name = 'OutOfMemoryError';
  constructor(what: string) {
    super(`${what}: use a smaller --image-size, --batch-size or --micro-batch`);
  }
}

/** The GPU went away while it worked; what it held is lost. */
export class DeviceLostError extends UserError {
  override name = 'DeviceLostError';
}

/** A fault of this library, never of the caller: its message begins with `internal:`. */
export class InternalError extends Error {
  override name = 'InternalError';
  constructor(message: string) {
    super(`internal: ${message}`);
  }
}

/** Returns `value`, or throws an InternalError that names `what` where it is undefined or null. */
export function required<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InternalError(`${what} is missing`);
  return value;
}
