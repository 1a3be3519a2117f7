import { type Options, SingleBar } from 'cli-progress';
import type { Progress } from './command.ts';

/** Seconds over which the rate is taken. */
const WINDOW = 10;
/** Seconds between two lines where there is no terminal. */
const QUIET = 10;

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
function pace(rate: number | undefined, left: number, unit: string): string {
  if (rate === undefined) return '';
  const speed = `${rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3)} ${unit}/s`;
  return left > 0 ? `${speed}, ${formatSeconds(left / rate)} left` : speed;
}

/** Progress on `stream`; `now` gives seconds. */
export function createProgress(label: string, unit: string, stream: ProgressStream, now: () => number): Progress {
  const show = stream.isTTY ? bar(label, unit, stream) : lines(label, unit, stream, now);
  const rate = new Rate();
  rate.add(now(), 0);
  return {
    update(done, total) {
      rate.add(now(), done);
      show.update(done, total, pace(rate.perSecond(), total - done, unit));
    },
    end: () => show.end(),
  };
}

interface Display {
  update(done: number, total: number, pace: string): void;
  end(): void;
}

function bar(label: string, unit: string, stream: ProgressStream): Display {
  const options: Options = {
    format: `${label} |{bar}| {value}/{total} ${unit}  {pace}`,
    stream: stream as NodeJS.WritableStream,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: null,
    // It would take SIGINT and SIGTERM for itself.
    gracefulExit: false,
  };
  const drawn = new SingleBar(options);
  let started = false;
  return {
    update(done, total, text) {
      if (!started) drawn.start(total, done, { pace: text });
      started = true;
      drawn.setTotal(total);
      drawn.update(done, { pace: text });
    },
    end() {
      if (started) drawn.stop();
      started = false;
    },
  };
}

function lines(label: string, unit: string, stream: ProgressStream, now: () => number): Display {
  let last = now();
  let finished = false;
  return {
    update(done, total, text) {
      const complete = done >= total;
      if (finished || (!complete && now() - last < QUIET)) return;
      finished = complete;
      last = now();
      stream.write(`${label}: ${done}/${total} ${unit}${text && `, ${text}`}\n`);
    },
    end() {},
  };
}
