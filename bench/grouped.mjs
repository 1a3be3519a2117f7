// The depthwise and grouped 3x3 convolutions of MobileNet V2, ResNeXt-50 32x4d and ResNeXt-101 32x8d, forward and both gradients, against a
// naive kernel (one thread per result, coalesced over channels: bench/naive/conv2d_naive.wgsl) on the adapter at hand:
//   node bench/grouped.mjs [--batch 8] [--size 64] [--network mobilenet_v2] [--rounds 5] [--adapter auto]
// Each row: least of the GPU's times in milliseconds, naive and tiled in turn after one run each that is not counted; naive / tiled; the tiled
// kernel's GFLOP/s; the largest difference of the two results, relative to the largest result.
import { parseArgs } from 'node:util';
import { Graph } from '../dist/graph/graph.js';
import { Program } from '../dist/graph/program.js';
import { openDevice } from '../dist/index.js';
import { conv2d, conv2dDataGradient, conv2dWeightGradient } from '../dist/kernels/conv2d/index.js';
import { normal } from '../dist/kernels/draw.js';

/** By network: groups (undefined: depthwise), then channels, stride, and how much smaller the map is than the image. */
const networks = {
  mobilenet_v2: {
    convolutions: [
      ...[32, 1, 2, 96, 2, 2, 144, 1, 4, 144, 2, 4, 192, 1, 8, 192, 2, 8],
      ...[384, 1, 16, 576, 1, 16, 576, 2, 16, 960, 1, 32],
    ],
  },
  resnext50_32x4d: {
    groups: 32,
    convolutions: [128, 1, 4, 256, 2, 4, 256, 1, 8, 512, 2, 8, 512, 1, 16, 1024, 2, 16, 1024, 1, 32],
  },
  resnext101_32x8d: {
    groups: 32,
    convolutions: [256, 1, 4, 512, 2, 4, 512, 1, 8, 1024, 2, 8, 1024, 1, 16, 2048, 2, 16, 2048, 1, 32],
  },
};

const { values: options } = parseArgs({
  options: {
    batch: { type: 'string', default: '8' },
    size: { type: 'string', default: '64' },
    network: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    adapter: { type: 'string', default: 'auto' },
  },
});
const [batch, size, rounds] = [Number(options.batch), Number(options.size), Number(options.rounds)];
const { device, adapter } = await openDevice({ adapter: options.adapter });

/** The op with the naive kernel as its only variant. */
function naive(op, entry, operandsOf) {
  const launches = ({ inputs, outputs, attributes }) => {
    const [result] = outputs;
    const { xShape, wShape, yShape, ...bindings } = operandsOf(inputs, result, attributes);
    const [images, height, width, inChannels] = xShape;
    const results = result.shape.reduce((product, extent) => product * extent, 1);
    const rows = Math.ceil(results / 64 / 65535);
    return [
      {
        shader: '../bench/naive/conv2d_naive.wgsl',
        entry,
        bindings: { ...bindings, result },
        uniforms: {
          ...{ images, height, width, inChannels },
          ...{ outHeight: yShape[1], outWidth: yShape[2], outChannels: yShape[3] },
          ...{ kernelHeight: wShape[0], kernelWidth: wShape[1], groups: attributes.groups },
          ...{ strideY: attributes.stride[0], strideX: attributes.stride[1] },
          ...{ padY: attributes.padding[0], padX: attributes.padding[1] },
        },
        workgroups: [Math.ceil(results / 64 / rows), rows, 1],
      },
    ];
  };
  return { ...op, variants: [{ name: 'naive', fits: () => true, launches }] };
}

function directionsOf(xShape, wShape, yShape, attributes) {
  const [x, w, y] = [normal('x', xShape), normal('w', wShape), normal('y', yShape)];
  return {
    forward: {
      op: conv2d,
      naive: naive(conv2d, 'forward', ([x, w], y) => ({ x, w, xShape: x.shape, wShape: w.shape, yShape: y.shape })),
      inputs: [x, w, undefined, undefined],
      attributes,
    },
    'data gradient': {
      op: conv2dDataGradient,
      naive: naive(conv2dDataGradient, 'data_gradient', ([dy, w], dx) => {
        return { dy, w, xShape: dx.shape, wShape: w.shape, yShape: dy.shape };
      }),
      inputs: [y, w, undefined],
      attributes: { ...attributes, xShape },
    },
    'weight gradient': {
      op: conv2dWeightGradient,
      naive: naive(conv2dWeightGradient, 'weight_gradient', ([x, dy], dw) => {
        return { x, dy, xShape: x.shape, wShape: dw.shape, yShape: dy.shape };
      }),
      inputs: [x, y, undefined],
      attributes: { ...attributes, weightShape: wShape },
    },
  };
}

async function compile(op, inputs, attributes) {
  const graph = new Graph();
  const tensors = inputs.map((input, slot) => input && graph.input(`input ${slot}`, input.shape));
  const [result] = graph.emit(op, tensors, attributes);
  const program = await Program.compile(device, graph, { results: [result] });
  tensors.forEach((tensor, slot) => {
    if (tensor) program.write(tensor, inputs[slot].values);
  });
  return { program, result };
}

async function compare({ op, naive: simple, inputs, attributes }) {
  const both = [await compile(simple, inputs, attributes), await compile(op, inputs, attributes)];
  const taken = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { program }] of both.entries()) {
      const seconds = (await program.profile()).reduce((sum, one) => sum + one, 0);
      if (round > 0) taken[index].push(1000 * seconds);
    }
  }
  const [expected, found] = await Promise.all(
    both.map(async ({ program, result }) => new Float32Array(await program.read(result))),
  );
  let [largest, difference] = [0, 0];
  expected.forEach((value, index) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - found[index]));
  });
  const [launch] = both[1].program.plan.launches;
  for (const { program } of both) program.destroy();
  const [simpleTime, time] = taken.map((list) => Math.min(...list));
  return { simpleTime, time, launch, error: difference / largest };
}

console.log(`${adapter.driver}, ${size} px, batch ${batch}`);
console.log('map, stride, channels of a group: direction, kernel: naive ms, tiled ms, ratio, GFLOP/s, difference');
const pad = (value, digits, width) => value.toFixed(digits).padStart(width);
for (const [network, { groups, convolutions }] of Object.entries(networks)) {
  if (options.network && options.network !== network) continue;
  console.log(`\n${network}`);
  const total = {};
  for (let at = 0; at < convolutions.length; at += 3) {
    const [channels, stride, smaller] = convolutions.slice(at, at + 3);
    const extent = Math.ceil(size / smaller);
    const out = Math.ceil(extent / stride);
    const attributes = { stride: [stride, stride], padding: [1, 1], groups: groups ?? channels };
    const inside = channels / attributes.groups;
    const maps = [extent, out].map((side) => [batch, side, side, channels]);
    const directions = directionsOf(maps[0], [3, 3, inside, channels], maps[1], attributes);
    for (const [direction, one] of Object.entries(directions)) {
      const { simpleTime, time, launch, error } = await compare(one);
      total[direction] ??= [0, 0];
      const sums = total[direction];
      sums[0] += simpleTime;
      sums[1] += time;
      const name = `${maps[0].join('x')}, ${stride}, ${inside}: ${direction}, ${launch.launch.shader.match(/depthwise|grouped|direct/)[0]}`;
      const rate = launch.cost.flops / time / 1e6;
      console.log(
        `${name.padEnd(56)}${pad(simpleTime, 2, 9)}${pad(time, 2, 8)}${pad(simpleTime / time, 1, 7)}${pad(rate, 1, 6)}  ${error.toExponential(0)}`,
      );
    }
  }
  for (const [direction, [simpleTime, time]] of Object.entries(total)) {
    console.log(
      `all: ${direction.padEnd(51)}${pad(simpleTime, 2, 9)}${pad(time, 2, 8)}${pad(simpleTime / time, 1, 7)}`,
    );
  }
}
process.exit();
