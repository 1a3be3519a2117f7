import { describe, expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { runGuarded } from '../../src/graph/check/check-case.ts';
import { differences } from '../../src/graph/check/compare.ts';
import { fittingVariants } from '../../src/graph/check/variants.ts';
import { Graph, type Node, type Tensor } from '../../src/graph/graph.ts';
import { casesOf } from '../../src/kernels/cases.ts';
import { type CaseInput, type Element, toleranceOf } from '../../src/kernels/reference.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { densenets } from '../../src/models/densenet.ts';
import { type LayerCase, layerCases } from '../../src/models/layer-cases.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { HARDWARE_KERNELS, MODES } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';
import { edgePositions, layerInputs } from './layer-inputs.ts';

/** A layer of more arithmetic than this is computed by the variant that is used for it alone. In flops. */
const MOST_FLOPS_OF_OTHERS = 3e7;

const definition = densenets.find(({ name }) => name === 'densenet121') as ModelDefinition;

interface Sampled {
  readonly index: number;
  readonly element: Element;
  readonly tolerance: number;
}

const lists = new Map<string, readonly LayerCase[]>();
const known = new Map<LayerCase, readonly (readonly Sampled[])[]>();

/** The expected values at the edges of each output, one by one in float64. */
function expectedAtEdges(layer: LayerCase, values: readonly (CaseInput | undefined)[], outputs: readonly Tensor[]) {
  let sampled = known.get(layer);
  if (!sampled) {
    const elementOf = casesOf(layer.op).reference(values, layer.attributes);
    sampled = outputs.map(({ shape }, output) =>
      edgePositions(shape).map((index) => {
        const element = elementOf(output, index);
        return { index, element, tolerance: toleranceOf(element) };
      }),
    );
    known.set(layer, sampled);
  }
  return sampled;
}

const countNaN = (values: Float32Array) => values.reduce((count, value) => count + (Number.isNaN(value) ? 1 : 0), 0);

async function checkLayer(device: Device, layer: LayerCase): Promise<string[]> {
  const values = layerInputs(layer);
  const trace = () => {
    const graph = new Graph();
    const inputs = values.map((value, slot) => value && graph.input(`input ${slot}`, value.shape, value.dtype));
    const results = graph.emit(layer.op, inputs, layer.attributes);
    const written = new Map(
      inputs.flatMap((tensor, slot) => (tensor ? [[tensor, values[slot] as CaseInput] as const] : [])),
    );
    return { graph, results, values: written };
  };
  const [node] = trace().graph.nodes as [Node];
  const cost = layer.op.cost(node);
  const variants = fittingVariants(node, device.traits).slice(0, cost.flops > MOST_FLOPS_OF_OTHERS ? 1 : undefined);
  const lines: string[] = [];
  for (const variant of variants) {
    const traced = trace();
    const choose = ({ op }: Node) => (op === layer.op ? variant : undefined);
    const run = await runGuarded({ device, ...traced, choose });
    const expected = expectedAtEdges(layer, values, traced.results);
    lines.push(...run.overruns.map((line) => `${layer.name} (${variant}): ${line}`));
    traced.results.forEach((tensor, output) => {
      const label = `${layer.name} (${variant}): ${layer.op.outputs[output]}`;
      const bytes = run.results.get(tensor) as ArrayBuffer;
      lines.push(...differences(label, tensor.dtype, bytes, expected[output] ?? []));
      const unwritten = tensor.dtype === 'f32' ? countNaN(new Float32Array(bytes)) : 0;
      if (unwritten > 0) lines.push(`${label}: ${unwritten} elements are NaN`);
    });
  }
  return lines;
}

/** Layers that compute something, and no loss: it is small here as in the small cases. */
const isCompared = ({ op }: LayerCase) => op.variants.length > 0 && !op.name.startsWith('bce');

/** One list for all devices, so that the expected values are computed once. */
function layersOf(sizes: { imageSize: number; batchSize: number }): readonly LayerCase[] {
  const key = JSON.stringify(sizes);
  const found = lists.get(key) ?? layerCases(definition, sizes).filter(isCompared);
  lists.set(key, found);
  return found;
}

describeOnFastAdapter.each([...MODES, HARDWARE_KERNELS])('the layers of DenseNet-121 $name', (mode) => {
  const device = useDevice(mode);

  describe.each([
    { imageSize: 64, batchSize: 2 },
    { imageSize: 320, batchSize: 2 },
  ])('images of $imageSize px, batches of $batchSize', (sizes) => {
    const layers = layersOf(sizes);

    test.each([...new Set(layers.map(({ op }) => op.name))])(
      '%s',
      async (name) => {
        const lines: string[] = [];
        for (const layer of layers) if (layer.op.name === name) lines.push(...(await checkLayer(device(), layer)));
        if (lines.length > 0) expect.fail(lines.slice(0, 50).join('\n'));
      },
      300_000,
    );
  });
});
