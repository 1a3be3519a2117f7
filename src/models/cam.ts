import { required, UserError } from '../base/errors.ts';
import { channelsOf, type Shape } from '../base/shape.ts';
import type { BoundBuffer } from '../graph/executor.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { External } from '../graph/plan.ts';
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

/** The weight of each map, [1,1,C,O], for image number `slot`: the head's, or those that the logit's gradient gave. */
function weightOfMaps(
  { model, mapWeights }: Pick<Inference, 'model' | 'mapWeights'>,
  slot: number,
): { shape: Shape; place: External; bindings: [object, BoundBuffer][] } {
  const { definition, parameters } = model;
  if (mapWeights) {
    const channels = channelsOf(mapWeights.tensor.shape);
    const storage = {};
    const place = { storage, offset: mapWeights.offset / 4 + slot * channels };
    return { shape: [1, 1, channels, 1], place, bindings: [[storage, { buffer: mapWeights.buffer }]] };
  }
  if (definition.headAveragesMaps === false) {
    throw new UserError(`${definition.name}'s head does not weigh its maps: create the inference with { cam: true }`);
  }
  const name = `${definition.head}.weight`;
  const { shape } = required(
    model.specs.find((one) => one.name === name),
    name,
  );
  return { shape, place: parameters.place(name), bindings: parameters.bindings() };
}

/**
 * The class activation map of image number `slot` of the batch that `inference` ran last, laid over `picture`; Grad-CAM
 * where the network's head does not weigh its maps. All of it is computed on the GPU; see shaders/cam.wgsl.
 */
export async function drawClassActivationMap(
  inference: Pick<Inference, 'model' | 'maps' | 'mapWeights'>,
  slot: number,
  picture: Picture,
): Promise<ClassActivationMap> {
  const { model } = inference;
  const { tensor, buffer, offset } = inference.maps;
  const graph = new Graph();
  const maps = graph.state('maps', tensor.shape);
  const found = weightOfMaps(inference, slot);
  const weight = graph.state('weight', found.shape);
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
      [weight, found.place],
    ]),
    bindings: [[storage, { buffer }], ...found.bindings],
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
