import { describe, expect, test } from 'vitest';
import { fittingVariants } from '../../src/graph/check/variants.ts';
import type { Node } from '../../src/graph/graph.ts';
import { opCases } from '../../src/kernels/cases.ts';
import type { OpDefinition } from '../../src/kernels/definition.ts';
import { checkLayer, prepareCheck } from '../../src/models/check-layer.ts';
import { type LayerCase, traceLayer } from '../../src/models/layer-cases.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();

/** The sizes of an op's cases, without their values. */
const layers = opCases.flatMap(({ op, cases }) =>
  cases
    .filter(({ trace }) => !trace && op.variants.length > 0)
    .slice(0, 4)
    .map(
      ({ name, inputs, attributes }): LayerCase => ({
        op,
        name: `${op.name} ${name}`,
        inputs: inputs.map((input) => input && { shape: input.shape, dtype: input.dtype }),
        attributes,
      }),
    ),
);

const variantsOf = (layer: LayerCase) => fittingVariants(traceLayer(layer).graph.nodes[0] as Node, device().traits);

describe('whatever the op, values that are drawn for it', () => {
  test.each(layers)('are right: $name', async (layer) => {
    const check = prepareCheck(layer);
    for (const variant of variantsOf(layer)) expect(await checkLayer(device(), check, variant)).toEqual([]);
  });

  const first = layers.filter(({ op }, index) => layers.findIndex((other) => other.op === op) === index);

  test.each(first)('tell a kernel that does nothing: $name', async (layer) => {
    const own = layer.op.variants;
    (layer.op as { variants: OpDefinition['variants'] }).variants = own.map((one) => ({ ...one, launches: () => [] }));
    try {
      const [variant] = variantsOf(layer) as [string];
      expect(await checkLayer(device(), prepareCheck(layer), variant)).not.toEqual([]);
    } finally {
      (layer.op as { variants: OpDefinition['variants'] }).variants = own;
    }
  });

  test('are few enough for little arithmetic, of every result', () => {
    for (const layer of layers) {
      const { expected } = prepareCheck(layer, 1);
      const { op } = layer;
      expect(expected.length).toBe(op.outputs.length + (op.mutates?.length ?? 0));
      for (const sampled of expected) expect(sampled.length).toBeLessThanOrEqual(16);
    }
  });
});
