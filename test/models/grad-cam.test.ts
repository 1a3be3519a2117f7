import { afterAll, beforeAll, expect, test } from 'vitest';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { drawClassActivationMap } from '../../src/models/cam.ts';
import { firstLogits, traceMapGradients } from '../../src/models/grad-cam.ts';
import { findModel } from '../../src/models/index.ts';
import { Inference } from '../../src/models/inference.ts';
import type { Model } from '../../src/models/model.ts';
import { Network } from '../../src/models/network.ts';
import { toFloat32 } from '../../src/weights/tensor-data.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { formulaInput, l2 } from '../support/formula.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { formulaModel, toDeviceImages } from './fixture.ts';

/** A file of test/golden/oracle/make_grad_cam.py. */
interface GradCam {
  readonly gain: number;
  readonly input_shape: readonly number[];
  /** Distance of float32 from float64 of the logits, the weights and the map, relative to their norms. */
  readonly noise: readonly [number, number, number];
  readonly weights: readonly number[][];
  readonly map: readonly number[][][];
}

const golden = readGolden<GradCam>('grad_cam_vgg11_bn.json');
const device = useDevice();
const distance = (values: ArrayLike<number>, expected: readonly number[]) =>
  l2(expected.map((value, index) => (values[index] ?? Number.NaN) - value)) / l2(expected);

interface Run {
  readonly model: Model;
  readonly program: Program;
  readonly maps: Tensor;
  readonly weights: Tensor;
}

/** A network with the formula's weights on the formula's images, with the weights of its maps. */
async function runWithGradients(name: string, { gain, input_shape: shape }: Pick<GradCam, 'gain' | 'input_shape'>) {
  const model = formulaModel(device(), findModel(name), gain);
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const [images = 0, , height = 0, width = 0] = shape;
  const image = network.declarePadded(graph.input('image', [images, height, width, 4]), 3);
  const outputs = model.definition.build(network, image, model.outputs);
  const { weights, seed } = traceMapGradients(graph, outputs);
  const program = await Program.compile(device(), graph, {
    results: [outputs.logits, outputs.maps, weights],
    places: model.places(network),
    bindings: [...model.parameters.bindings(), ...model.statistics.bindings()],
  });
  program.write(image, toDeviceImages(formulaInput(shape), shape));
  program.write(seed, firstLogits(seed));
  program.run();
  return { model, program, maps: outputs.maps, weights };
}

function destroy({ program, model }: Run): void {
  program.destroy();
  model.destroy();
}

describeOnFastAdapter('Grad-CAM of VGG 11 with BN, as PyTorch computes it', () => {
  let run: Run;
  beforeAll(async () => {
    run = await runWithGradients('vgg11_bn', golden);
  });
  afterAll(() => destroy(run));

  test('weights of the maps', async () => {
    const weights = new Float32Array(await run.program.read(run.weights));
    expect(distance(weights, golden.weights.flat())).toBeLessThanOrEqual(10 * golden.noise[1]);
  });

  test.each([0, 1])('map of image %i', async (slot) => {
    const located = (tensor: Tensor) => ({ tensor, ...run.program.locate(tensor) });
    const inference = { model: run.model, maps: located(run.maps), mapWeights: located(run.weights) };
    const picture = { width: 64, height: 64, channels: 1, planes: new Uint8Array(64 * 64) } as const;
    const drawn = await drawClassActivationMap(inference, slot, picture);
    expect([drawn.mapHeight, drawn.mapWidth]).toEqual([4, 4]);
    expect(distance(drawn.map, golden.map[slot]?.flat() ?? [])).toBeLessThanOrEqual(10 * golden.noise[2]);
  });

  test('an inference that was not planned for it says so', async () => {
    const inference = await Inference.create(run.model, { batchSize: 1, imageSize: 64 });
    const picture = { width: 8, height: 8, channels: 1, planes: new Uint8Array(64) } as const;
    await expect(drawClassActivationMap(inference, 0, picture)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: vgg11_bn's head does not weigh its maps: create the inference with { cam: true }]`,
    );
    await inference.destroy();
  });
});

describeOnFastAdapter('Grad-CAM of a network whose head averages its maps', () => {
  test("weighs them as the head does, a position's share of it", async () => {
    const run = await runWithGradients('densenet121', { gain: 1.4, input_shape: [2, 3, 64, 64] });
    const weights = new Float32Array(await run.program.read(run.weights));
    const head = (await run.model.stateDict()).get('classifier.weight');
    const positions = (run.maps.shape[1] as number) * (run.maps.shape[2] as number);
    const expected = head ? Array.from(toFloat32(head), (value) => value / positions) : [];
    expect(distance(weights, [...expected, ...expected])).toBeLessThanOrEqual(4 * 2 ** -23);
    destroy(run);
  });
});
