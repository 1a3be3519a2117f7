import type { LaunchProfile, Phase } from './profile.ts';

const PHASES: readonly Phase[] = ['forward', 'backward', 'optimiser'];

/** One event of Chrome's trace event format; times are in microseconds. */
interface TraceEvent {
  readonly name: string;
  /** `M`: a name of a process or a track; `X`: something that lasts. */
  readonly ph: 'M' | 'X';
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args: object;
}

export interface TraceFile {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
  readonly otherData: Readonly<Record<string, string>>;
}

/**
 * Launches, end to end, as a trace that Perfetto and chrome://tracing show: a track each for forward, backward and
 * optimiser. Their ends are those of a step whose launches do not overlap.
 * Source: "Trace Event Format", the Catapult project's document.
 */
export function traceOf(
  launches: readonly LaunchProfile[],
  title: string,
  otherData: Readonly<Record<string, string>>,
): TraceFile {
  const pid = 1;
  const used = PHASES.filter((phase) => launches.some((launch) => launch.phase === phase));
  const names: TraceEvent[] = [
    { name: 'process_name', ph: 'M', pid, tid: 0, args: { name: title } },
    ...used.map((phase): TraceEvent => {
      return { name: 'thread_name', ph: 'M', pid, tid: PHASES.indexOf(phase) + 1, args: { name: phase } };
    }),
  ];
  let end = 0;
  const events = launches.map((launch): TraceEvent => {
    const { ms, phase, layer, op, ...args } = launch;
    const ts = end;
    const dur = 1000 * ms;
    end += dur;
    return {
      name: layer ? `${op} ${layer}` : op,
      cat: args.kernel,
      ph: 'X',
      pid,
      tid: PHASES.indexOf(phase) + 1,
      ts,
      dur,
      args: { layer, ...args },
    };
  });
  return { displayTimeUnit: 'ms', traceEvents: [...names, ...events], otherData };
}
