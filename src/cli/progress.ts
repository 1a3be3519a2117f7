import { type Options, SingleBar } from 'cli-progress';
import type { Progress } from './command.ts';

/** Seconds over which the rate is taken. */
const WINDOW = 10;
/** What is done within so many seconds of the start was done before: a run that is resumed within an epoch. */
const START = 0.05;
/** Between two lines where there is no terminal: at least so many seconds, and this share of all that is to be done. */
const QUIET = 10;
const QUIET_SHARE = 1 / 20;

export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Seconds as `2 h 05 min`, `3 min 20 s` or `12 s`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, '0');
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${whole} s`;
}

/** Follows how much was done when, over the last WINDOW seconds. */
class Rate {
  #samples: { at: number; done: number }[] = [];

  add(at: number, done: number): void {
    const [first] = this.#samples;
    if (first && this.#samples.length === 1 && at - first.at < START) this.#samples = [];
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= WINDOW) this.#samples.shift();
  }

  /** A second; undefined until two moments are known. */
  perSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at <= first.at || last.done <= first.done) return undefined;
    return (last.done - first.done) / (last.at - first.at);
  }
}

/** `45.2 images/s, 20 s left`, or nothing while it is not known. */
function pace(rate: number | undefined, left: number, unit: string): string[] {
  if (rate === undefined) return [];
  const speed = `${rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3)} ${unit}/s`;
  return left > 0 ? [speed, `${formatSeconds(left / rate)} left`] : [speed];
}

/**
 * Progress on `stream`; `now` gives seconds. What is `passing` leaves nothing behind at its end: on a terminal the bar is
 * cleared, elsewhere the last line is left out.
 */
export function createProgress(
  label: string,
  unit: string,
  stream: ProgressStream,
  now: () => number,
  { passing = false }: { passing?: boolean } = {},
): Progress {
  const show = stream.isTTY ? bar(label, unit, stream, passing) : lines(label, unit, stream, now, passing);
  const rate = new Rate();
  rate.add(now(), 0);
  return {
    update(done, total, detail) {
      rate.add(now(), done);
      show.update(done, total, [...(detail ? [detail] : []), ...pace(rate.perSecond(), total - done, unit)]);
    },
    end: () => show.end(),
  };
}

interface Display {
  update(done: number, total: number, details: readonly string[]): void;
  end(): void;
}

function bar(label: string, unit: string, stream: ProgressStream, passing: boolean): Display {
  const options: Options = {
    format: `${label} |{bar}| {value}/{total} ${unit}  {details}`,
    stream: stream as NodeJS.WritableStream,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: null,
    clearOnComplete: passing,
    // It would take SIGINT and SIGTERM for itself.
    gracefulExit: false,
  };
  const drawn = new SingleBar(options);
  let started = false;
  return {
    update(done, total, parts) {
      const details = parts.join(', ');
      if (!started) drawn.start(total, done, { details });
      started = true;
      drawn.setTotal(total);
      drawn.update(done, { details });
    },
    end() {
      if (started) drawn.stop();
      started = false;
    },
  };
}

function lines(label: string, unit: string, stream: ProgressStream, now: () => number, passing: boolean): Display {
  let last = { at: now(), done: 0 };
  let finished = false;
  return {
    update(done, total, details) {
      const complete = done >= total;
      const soon = now() - last.at < QUIET || done - last.done < total * QUIET_SHARE;
      if (finished || (complete ? passing : soon)) return;
      finished = complete;
      last = { at: now(), done };
      stream.write(`${label}: ${[`${done}/${total} ${unit}`, ...details].join(', ')}\n`);
    },
    end() {},
  };
}
