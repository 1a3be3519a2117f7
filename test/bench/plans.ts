import { gradients } from '../../src/graph/autograd.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { type External, planGraph } from '../../src/graph/plan.ts';
import { adam, STEP_WORDS } from '../../src/kernels/adam.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { activate } from '../../src/kernels/elementwise.ts';
import { SOFTWARE_TRAITS } from '../support/traits.ts';

const GEOMETRY = { stride: [1, 1], padding: [1, 1], groups: 1 } as const;

/** A convolution, its activation, their backward pass and Adam, planned without a device. */
export function planOfStep() {
  const graph = new Graph();
  const x = graph.input('x', [2, 4, 4, 4]);
  const weight = graph.state('weight', [3, 3, 4, 8]);
  graph.scope = 'features.conv0';
  const [y] = graph.emit(conv2d, [x, weight], GEOMETRY) as [Tensor];
  const [end] = graph.emit(activate, [y], { activation: 'relu' }) as [Tensor];
  const seed = graph.input('seed', end.shape);
  const found = gradients(graph, [weight], [], new Map([[end, seed]]));
  const moments = ['m', 'v'].map((name) => graph.state(name, weight.shape));
  const step = graph.input('step', [STEP_WORDS], 'u32');
  graph.emit(adam, [weight, found.get(weight), ...moments, step], {});
  const external = new Map(
    [x, weight, seed, ...moments, step].map((one): [Tensor, External] => [one, { storage: one, offset: 0 }]),
  );
  return { plan: planGraph(graph, SOFTWARE_TRAITS, { kept: new Set([end]), external }), end };
}
