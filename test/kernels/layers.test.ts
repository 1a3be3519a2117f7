import { describe, expect, test } from 'vitest';
import type { AdapterTraits } from '../../src/base/traits.ts';
import type { Device } from '../../src/gpu/device.ts';
import { fittingVariants } from '../../src/graph/check/variants.ts';
import { sizeKey } from '../../src/graph/choices.ts';
import { Graph, type Node } from '../../src/graph/graph.ts';
import { checkLayer, expectLayer, type LayerCheck } from '../../src/models/check-layer.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { densenets } from '../../src/models/densenet.ts';
import { type LayerCase, layerCases } from '../../src/models/layer-cases.ts';
import { layerInputs } from '../../src/models/layer-inputs.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { HARDWARE_KERNELS, MODES, openTestDevice } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';

/** A layer of more arithmetic than this is computed by the variant that is used for it alone. In flops. */
const MOST_FLOPS_OF_OTHERS = 3e7;

const definition = densenets.find(({ name }) => name === 'densenet121') as ModelDefinition;

/** Arithmetic of the expected moments of what a convolution writes: each is that of a whole channel. In flops. */
const MOST_FLOPS_OF_MOMENTS = 3e6;

/** By name, from which numbers are drawn too, and size. */
const known = new Map<string, LayerCheck['expected']>();

/** The expected values are computed once for all devices; the inputs, which are large, are drawn again. */
function checkOf(layer: LayerCase): LayerCheck {
  const values = layerInputs(layer);
  const key = `${layer.name} ${sizeKey(layer)}`;
  const most = layer.op.outputs.includes('moments') ? MOST_FLOPS_OF_MOMENTS : undefined;
  const expected = known.get(key) ?? expectLayer(layer, values, most);
  known.set(key, expected);
  return { layer, values, expected };
}

async function checkVariants(device: Device, layer: LayerCase): Promise<string[]> {
  const graph = new Graph();
  const inputs = layer.inputs.map((type) => type && graph.input('input', type.shape, type.dtype));
  graph.emit(layer.op, inputs, layer.attributes);
  const [node] = graph.nodes as [Node];
  const cost = layer.op.cost(node);
  const variants = fittingVariants(node, device.traits).slice(0, cost.flops > MOST_FLOPS_OF_OTHERS ? 1 : undefined);
  const check = checkOf(layer);
  const lines: string[] = [];
  for (const variant of variants) lines.push(...(await checkLayer(device, check, variant)));
  return lines;
}

/** Layers that compute something, and no loss: it is small here as in the small cases. */
const isCompared = ({ op }: LayerCase) => op.variants.length > 0 && !op.name.startsWith('bce');

/** Those of the plan on an adapter, and of one where nothing is fused that only some adapters are better off with. */
function layersOf(sizes: { imageSize: number; batchSize: number }, traits: AdapterTraits): readonly LayerCase[] {
  const found = [...layerCases(definition, sizes), ...layerCases(definition, sizes, [], traits)].filter(isCompared);
  return [...new Map(found.map((layer) => [sizeKey(layer), layer])).values()];
}

/** A mode with the traits of its device, on which it depends what is fused. */
async function withTraits(mode: (typeof MODES)[number]) {
  const device = await openTestDevice(mode);
  const { traits }: { traits: AdapterTraits } = device;
  device.destroy();
  return { ...mode, traits };
}

const modes = await Promise.all([...MODES, HARDWARE_KERNELS].map(withTraits));

describeOnFastAdapter.each(modes)('the layers of DenseNet-121 $name', ({ traits, ...mode }) => {
  const device = useDevice(mode);

  describe.each([
    { imageSize: 64, batchSize: 2 },
    { imageSize: 320, batchSize: 1 },
  ])('images of $imageSize px, batches of $batchSize', (sizes) => {
    const layers = layersOf(sizes, traits);

    test.each([...new Set(layers.map(({ op }) => op.name))])(
      '%s',
      async (name) => {
        const lines: string[] = [];
        for (const layer of layers) if (layer.op.name === name) lines.push(...(await checkVariants(device(), layer)));
        if (lines.length > 0) expect.fail(lines.slice(0, 50).join('\n'));
      },
      300_000,
    );
  });
});
