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

/** Something that lasts; times are in milliseconds. */
export interface Span {
  readonly name: string;
  readonly category?: string;
  readonly start: number;
  readonly ms: number;
  readonly args?: object;
}

/** Spans of one kind, none of which overlap. */
export interface Track {
  readonly name: string;
  readonly spans: readonly Span[];
}

/**
 * Tracks as a trace that Perfetto and chrome://tracing show one below the other.
 * Source: "Trace Event Format", the Catapult project's document.
 */
export function traceOfTracks(
  tracks: readonly Track[],
  title: string,
  otherData: Readonly<Record<string, string>>,
): TraceFile {
  const pid = 1;
  const names = tracks.map(({ name }, track): TraceEvent => {
    return { name: 'thread_name', ph: 'M', pid, tid: track + 1, args: { name } };
  });
  const events = tracks.flatMap(({ spans }, track) =>
    spans.map(({ name, category, start, ms, args = {} }): TraceEvent => {
      const cat = category === undefined ? {} : { cat: category };
      return { name, ...cat, ph: 'X', pid, tid: track + 1, ts: 1000 * start, dur: 1000 * ms, args };
    }),
  );
  const process: TraceEvent = { name: 'process_name', ph: 'M', pid, tid: 0, args: { name: title } };
  return { displayTimeUnit: 'ms', traceEvents: [process, ...names, ...events], otherData };
}

/**
 * Launches, end to end, as a trace with a track each for forward, backward and optimiser. Their ends are those of a step
 * whose launches do not overlap.
 */
export function traceOf(
  launches: readonly LaunchProfile[],
  title: string,
  otherData: Readonly<Record<string, string>>,
): TraceFile {
  let end = 0;
  const spans = launches.map((launch) => {
    const { ms, phase, layer, op, ...args } = launch;
    const start = end;
    end += ms;
    const name = layer ? `${op} ${layer}` : op;
    return { phase, span: { name, category: args.kernel, start, ms, args: { layer, ...args } } };
  });
  const tracks = PHASES.map((name) => {
    return { name, spans: spans.filter(({ phase }) => phase === name).map(({ span }) => span) };
  });
  return traceOfTracks(
    tracks.filter((track) => track.spans.length > 0),
    title,
    otherData,
  );
}
