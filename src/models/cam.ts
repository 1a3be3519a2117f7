import { required } from '../base/errors.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { classActivationMap } from '../kernels/class-activation-map.ts';
import type { Inference } from './inference.ts';

/** Opacity of the hottest place of an overlay. */
const OPACITY = 0.6;

/** A picture to lay the map over: planes of bytes, [channels, height, width]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly planes: Uint8Array;
}

export interface ClassActivationMap {
  /** The map at the feature maps' size, row by row. */
  readonly map: Float32Array;
  readonly mapWidth: number;
  readonly mapHeight: number;
  /** The map upsampled to the picture's size. */
  readonly heat: Float32Array;
  /** The overlay: red, green, blue, alpha. */
  readonly rgba: Uint8Array;
}

/**
 * The class activation map of image number `slot` of the batch that `inference` ran last, laid over `picture`. All of it
 * is computed on the GPU; see shaders/cam.wgsl.
 */
export async function drawClassActivationMap(
  inference: Pick<Inference, 'model' | 'maps'>,
  slot: number,
  picture: Picture,
): Promise<ClassActivationMap> {
  const { model } = inference;
  const { tensor, buffer, offset } = inference.maps;
  const graph = new Graph();
  const maps = graph.state('maps', tensor.shape);
  const name = `${model.definition.head}.weight`;
  const spec = required(
    model.specs.find((one) => one.name === name),
    name,
  );
  const weight = graph.state(name, spec.shape);
  const { width, height, channels: planes } = picture;
  const bytes = graph.input('picture', [Math.ceil(picture.planes.length / 4)], 'u32');
  const attributes = { image: slot, width, height, planes, opacity: OPACITY };
  const [map, heat, overlay] = graph.emit(classActivationMap, [maps, weight, bytes], attributes) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const storage = {};
  const program = await Program.compile(model.device, graph, {
    results: [map, heat, overlay],
    places: new Map([
      [maps, { storage, offset: offset / 4 }],
      [weight, model.parameters.place(name)],
    ]),
    bindings: [[storage, { buffer }], ...model.parameters.bindings()],
  });
  try {
    const padded = new Uint8Array(4 * Math.ceil(picture.planes.length / 4));
    padded.set(picture.planes);
    program.write(bytes, padded);
    program.run();
    const [mapBytes, heatBytes, overlayBytes] = await Promise.all([map, heat, overlay].map((one) => program.read(one)));
    const [, mapHeight = 0, mapWidth = 0] = tensor.shape;
    return {
      map: new Float32Array(mapBytes as ArrayBuffer),
      mapWidth,
      mapHeight,
      heat: new Float32Array(heatBytes as ArrayBuffer),
      rgba: new Uint8Array(overlayBytes as ArrayBuffer),
    };
  } finally {
    program.destroy();
  }
}
