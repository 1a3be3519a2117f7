import { constants } from 'node:os';
import { UserError } from '../base/errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Lets a command save before it ends: the first SIGINT or SIGTERM aborts `signal` with a UserError as its reason, the
 * second ends the process at once with code 128 + the signal's number. `release` gives the signals back.
 */
export function catchInterruption(note: (line: string) => void): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = (name: (typeof SIGNALS)[number]) => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
    note(`${name}: ending in good order; once more ends at once`);
    controller.abort(new UserError(`interrupted by ${name}`));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
