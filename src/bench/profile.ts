import type { Peaks } from '../gpu/peaks.ts';
import type { Node, Tensor } from '../graph/graph.ts';
import type { PlannedLaunch } from '../graph/plan.ts';
import type { Program } from '../graph/program.ts';
import type { Cost } from '../kernels/definition.ts';
import type { Run } from './interleave.ts';
import { type Rate, rateOf } from './roofline.ts';

/** What a part of a step is for. */
export type Phase = 'forward' | 'backward' | 'optimiser';

/** One launch of a profiled program. */
export interface LaunchProfile extends Rate {
  /** `shader:entry/variant`. */
  readonly kernel: string;
  readonly phase: Phase;
  readonly op: string;
  /** The layer's name, such as `features.conv0`. */
  readonly layer: string;
  /** The different shapes of the feature maps and weights that go in, and that of the first result. */
  readonly sizes: string;
  /** Median of the rounds. */
  readonly ms: number;
  /** Arithmetic and traffic of the op; an op's later launches carry none. */
  readonly flops: number;
  readonly bytes: number;
}

/** Launches added up. */
export interface Total extends Rate {
  readonly launches: number;
  readonly ms: number;
  /** Of all launches' time. */
  readonly share_of_time: number;
}

export interface KernelTotal extends Total {
  readonly kernel: string;
}

export interface LayerTotal extends Total {
  readonly layer: string;
  readonly op: string;
  readonly phase: Phase;
  readonly sizes: string;
}

export interface Profile {
  /** In the order in which they run. */
  readonly launches: readonly LaunchProfile[];
  /** Launches by kind, the most time first. */
  readonly kernels: readonly KernelTotal[];
  /** Launches by use of an op, the most time first. */
  readonly layers: readonly LayerTotal[];
  readonly total: Total;
}

/** The middle value, or the lower of the two. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}

/**
 * Runs a program `rounds` times with a timer around every launch, once more before, and adds up by kind and by layer. In
 * turn with them `untimed` runs it as it is and gives its seconds, whose median is returned too.
 */
export async function profileProgram(
  program: Program,
  { rounds, end, peaks, untimed }: { rounds: number; end: Tensor; peaks: Peaks; untimed: Run },
): Promise<{ profile: Profile; untimed: number }> {
  await program.profile();
  await untimed();
  const seconds: Float64Array[] = [];
  const whole: number[] = [];
  for (let round = 0; round < rounds; round++) {
    seconds.push(await program.profile());
    whole.push(await untimed());
  }
  const { launches } = program.plan;
  const medians = launches.map((_, index) => median(seconds.map((taken) => taken[index] as number)));
  return { profile: summarise(launches, medians, end, peaks), untimed: median(whole) };
}

/** Adds up the seconds of launches; `end` is the tensor that the forward pass ends in. */
export function summarise(
  planned: readonly PlannedLaunch[],
  seconds: readonly number[],
  end: Tensor,
  peaks: Peaks,
): Profile {
  const forward = nodesBehind(end);
  const launches = planned.map(({ node, launch, variant, cost }, index): LaunchProfile => {
    const taken = seconds[index] as number;
    return {
      kernel: `${launch.shader.replace('.wgsl', '')}:${launch.entry}/${variant}`,
      phase: phaseOf(node, forward),
      op: node.op.name,
      layer: node.scope,
      sizes: sizesOf(node),
      ms: 1000 * taken,
      ...cost,
      ...rateOf(cost, taken, peaks),
    };
  });
  const whole = addUp(launches, peaks);
  const total = (group: readonly LaunchProfile[]): Total => addUp(group, peaks, whole.ms);
  const byKernel = groupBy(launches, (_, index) => launches[index]?.kernel);
  const byNode = groupBy(launches, (_, index) => planned[index]?.node);
  return {
    launches,
    kernels: slowestFirst([...byKernel].map(([kernel = '', group]) => ({ kernel, ...total(group) }))),
    layers: slowestFirst(
      [...byNode.values()].map((group) => {
        const { layer = '', op = '', phase = 'forward', sizes = '' } = group[0] ?? {};
        return { layer, op, phase, sizes, ...total(group) };
      }),
    ),
    total: whole,
  };
}

function addUp(launches: readonly LaunchProfile[], peaks: Peaks, whole?: number): Total {
  const sum = (key: 'ms' | 'flops' | 'bytes') => launches.reduce((all, launch) => all + launch[key], 0);
  const ms = sum('ms');
  const cost: Cost = { flops: sum('flops'), bytes: sum('bytes') };
  return { launches: launches.length, ms, share_of_time: ms / (whole ?? ms), ...rateOf(cost, ms / 1000, peaks) };
}

const slowestFirst = <T extends Total>(totals: T[]): T[] => totals.sort((a, b) => b.ms - a.ms);

function groupBy<T, K>(values: readonly T[], keyOf: (value: T, index: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  values.forEach((value, index) => {
    const key = keyOf(value, index);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  });
  return groups;
}

/** The nodes that a tensor follows from. */
function nodesBehind(end: Tensor): Set<Node> {
  const found = new Set<Node>();
  const open = [end.producer];
  for (let node = open.pop(); node; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { producer } of node.inputs.filter((input) => input !== undefined)) if (producer) open.push(producer);
  }
  return found;
}

/** An op after the forward pass that has no result but what it updates is the optimiser's. */
function phaseOf(node: Node, forward: ReadonlySet<Node>): Phase {
  if (forward.has(node)) return 'forward';
  return node.outputs.length === 0 ? 'optimiser' : 'backward';
}

function sizesOf({ inputs, outputs }: Node): string {
  const given = inputs.filter((input) => input !== undefined);
  const large = given.filter(({ shape }) => shape.length === 4);
  const from = new Set((large.length > 0 ? large : given.slice(0, 1)).map(({ shape }) => shape.join('x')));
  const [result] = outputs;
  return [[...from].join(', '), ...(result ? [result.shape.join('x')] : [])].join(' -> ');
}
