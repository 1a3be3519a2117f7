import { required } from '../../base/errors.ts';
import { Random } from '../../base/random.ts';
import { type Element, type ReferenceTensor, toleranceOf } from '../../kernels/reference.ts';
import type { Graph, Tensor } from '../graph.ts';
import { interpret } from './interpret.ts';

/** What a float32 run of a graph is compared with. */
export interface Expected {
  readonly elements: readonly Element[];
  readonly tolerances: Float64Array;
}

/** Where maps are rounded to f16, hardly anything else moves a result: their changes have to be known better. */
const DISTURBED_RUNS = { f32: 4, f16: 16 };

/**
 * The float64 values of some tensors of a graph, and how far a float32 run may be from each: its own op's tolerance and
 * twice the largest change that was seen when all results before it were moved at random within theirs.
 */
export function expectedOf(
  graph: Graph,
  inputs: ReadonlyMap<Tensor, ReferenceTensor>,
  results: readonly Tensor[],
): Map<Tensor, Expected> {
  const recorded = new Map<Tensor, Element[]>();
  interpret(graph, inputs, { record: recorded });
  const expected = new Map<Tensor, Expected>();
  for (const tensor of results) {
    const elements = required(recorded.get(tensor), tensor.name);
    expected.set(tensor, {
      elements,
      tolerances: Float64Array.from(elements, (element) => toleranceOf(element, tensor.dtype)),
    });
  }
  if (graph.nodes.length === 1) return expected;
  const changes = new Map(results.map((tensor) => [tensor, new Float64Array(recorded.get(tensor)?.length ?? 0)]));
  const halves = graph.nodes.some(({ outputs }) => outputs.some(({ dtype }) => dtype === 'f16'));
  for (let run = 0; run < DISTURBED_RUNS[halves ? 'f16' : 'f32']; run++) {
    const disturbed = new Map<Tensor, Element[]>();
    interpret(graph, inputs, { record: disturbed, disturb: new Random(run) });
    for (const [tensor, change] of changes) {
      const before = required(recorded.get(tensor), tensor.name);
      disturbed.get(tensor)?.forEach(({ value }, index) => {
        change[index] = Math.max(change[index] as number, Math.abs(value - (before[index] as Element).value));
      });
    }
  }
  for (const [tensor, { tolerances }] of expected) {
    changes.get(tensor)?.forEach((change, index) => {
      tolerances[index] = (tolerances[index] as number) + 2 * change;
    });
  }
  return expected;
}
