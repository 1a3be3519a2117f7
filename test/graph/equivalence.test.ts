import { describe, expect, test } from 'vitest';
import { compareResults, runGuarded } from '../../src/graph/check/check-case.ts';
import type { Expected } from '../../src/graph/check/expected.ts';
import type { Tensor } from '../../src/graph/graph.ts';
import { type PassName, passNames } from '../../src/graph/passes/index.ts';
import { storeHalves } from '../../src/graph/passes/store-halves.ts';
import { Program } from '../../src/graph/program.ts';
import type { Network } from '../../src/models/network.ts';
import { describeWithHalves } from '../support/adapter.ts';
import { MODES } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';
import { type Build, distanceToKinks, expectedByNumber, type Training, trace, traceReading } from './training.ts';

interface Dense {
  readonly growth: number;
  /** Probability of the dropout at the end of a layer. */
  readonly drop?: number;
}

function denseLayer(network: Network, name: string, x: Tensor, { growth, drop = 0 }: Dense): Tensor {
  let y = network.batchNorm(`${name}.norm1`, x, { activation: 'relu' });
  y = network.conv2d(`${name}.conv1`, y, { channels: 16, kernel: 1 });
  y = network.batchNorm(`${name}.norm2`, y, { activation: 'relu' });
  y = network.conv2d(`${name}.conv2`, y, { channels: growth, kernel: 3, padding: 1 });
  return network.dropout(`${name}.dropout`, y, drop);
}

/** A stem, a dense block whose layers write `growth` channels, a transition, another layer and a head. */
const dense =
  (options: Dense): Build =>
  (network, image) => {
    let x = network.conv2d('conv0', image, { channels: 8, kernel: 3, stride: 2, padding: 1 });
    x = network.batchNorm('norm0', x, { activation: 'relu' });
    x = network.maxPool2d('pool0', x, { kernel: 3, stride: 2, padding: 1 });
    for (let layer = 1; layer <= 3; layer++) {
      x = network.concat([x, denseLayer(network, `block1.layer${layer}`, x, options)]);
    }
    x = network.batchNorm('transition.norm', x, { activation: 'relu' });
    x = network.conv2d('transition.conv', x, { channels: 12, kernel: 1 });
    x = network.avgPool2d('transition.pool', x, { kernel: 2 });
    x = network.concat([x, denseLayer(network, 'block2.layer1', x, options)]);
    x = network.batchNorm('norm5', x, { activation: 'relu' });
    return network.linear('classifier', network.globalAvgPool2d(x), 1);
  };

/** Residual sums whose operands are read elsewhere too, so that a sum of gradients may not grow in place. */
const residual: Build = (network, image) => {
  const stem = network.batchNorm('bn1', network.conv2d('conv1', image, { channels: 8, kernel: 3, padding: 1 }), {
    activation: 'relu6',
  });
  const inner = network.batchNorm(
    'bn2',
    network.conv2d('conv2', stem, { channels: 8, kernel: 3, padding: 1, groups: 2 }),
  );
  const sum = network.activate(network.add(inner, stem), 'relu');
  const left = network.batchNorm(
    'bn3',
    network.conv2d('conv3', sum, { channels: 12, kernel: 3, stride: 2, padding: 1 }),
  );
  const right = network.batchNorm('bn4', network.conv2d('conv4', sum, { channels: 12, kernel: 1, stride: 2 }));
  const joined = network.activate(network.add(left, right), 'relu');
  const twice = network.add(network.add(joined, right), joined);
  return network.linear('fc', network.globalAvgPool2d(network.dropout('drop', twice, 0.25)), 1);
};

/** Sums that hand one gradient on to several tensors, whose other gradients are added before all have read it. */
const sharing: Build = (network, image) => {
  const conv = (name: string, x: Tensor) => network.conv2d(name, x, { channels: 8, kernel: 3, padding: 1 });
  const [u, v] = [conv('u', image), conv('v', image)];
  const a = conv('a', network.add(u, v));
  const b = conv('b', u);
  const c = network.activate(conv('c', a), 'relu');
  return network.linear('fc', network.globalAvgPool2d(network.add(network.add(b, a), c)), 1);
};

/** Layers that do not learn, so that their output's gradient is read by nothing but the data gradient added to it. */
const frozen: Build = (network, image) => {
  const x = network.conv2d('conv1', image, { channels: 8, kernel: 3, padding: 1 });
  const sum = network.add(network.conv2d('frozen.conv', x, { channels: 8, kernel: 3, padding: 1 }), x);
  return network.linear('frozen.fc', network.globalAvgPool2d(sum), 1);
};

/** Branches side by side whose channels are no multiples of four, of a map that is read again later. */
const branches: Build = (network, image) => {
  const x = network.conv2d('stem', image, { channels: 5, kernel: 3, padding: 1, bias: true });
  const pooled = network.maxPool2d('max', x, { kernel: 3, stride: 1, padding: 1 });
  const averaged = network.avgPool2d('average', x, { kernel: 3, stride: 1, padding: 1 });
  const wide = network.conv2d('branch', x, { channels: 4, kernel: [1, 3], padding: [0, 1] });
  const all = network.concat([pooled, wide, x, averaged]);
  const normalised = network.batchNorm('norm', all, { activation: 'relu' });
  const again = network.concat([network.conv2d('last', normalised, { channels: 3, kernel: 1 }), all]);
  return network.linear('fc', network.globalAvgPool2d(network.activate(again, 'relu')), 1);
};

const choices: readonly (readonly PassName[])[] = [[], ...passNames.map((name) => [name]), passNames];

const networks = [
  { name: 'a dense network', build: dense({ growth: 4 }) },
  { name: 'a dense network of odd channels', build: dense({ growth: 3 }) },
  { name: 'a dense network with dropout', build: dense({ growth: 4, drop: 0.25 }) },
  { name: 'a residual network', build: residual },
  { name: 'a network of branches', build: branches },
  { name: 'a network of shared gradients', build: sharing },
  { name: 'a network of frozen layers', build: frozen },
];

describe.each(MODES)('$name', (mode) => {
  const device = useDevice(mode);

  describe.each(networks)('$name', ({ name, build }) => {
    const expected = expectedByNumber(trace(name, build));

    test('is not near a kink, where float32 and float64 may differ', () => {
      expect(distanceToKinks(trace(name, build))).toBeGreaterThan(1e-5);
    });

    test.each(choices.map((without) => ({ without })))(
      'loss, gradients and running statistics are right without the passes $without',
      async ({ without }) => {
        const { graph, values, results } = trace(name, build);
        const run = await runGuarded({ device: device(), graph, values, results, without });
        const wanted = new Map(results.map((tensor, number) => [tensor, expected[number] as Expected]));
        const lines = [...compareResults(name, run.results, wanted), ...run.overruns];
        if (lines.length > 0) expect.fail(lines.join('\n'));
      },
    );

    const read = expectedByNumber(traceReading(name, build));

    test.each(choices.map((without) => ({ without })))(
      'logits in evaluation mode are right without the passes $without',
      async ({ without }) => {
        const { graph, values, results } = traceReading(name, build);
        const run = await runGuarded({ device: device(), graph, values, results, without });
        const wanted = new Map(results.map((tensor, number) => [tensor, read[number] as Expected]));
        const lines = [...compareResults(name, run.results, wanted), ...run.overruns];
        if (lines.length > 0) expect.fail(lines.join('\n'));
      },
    );

    test('buffers that serve several tensors change no bit, nor does a second run', async () => {
      const bits = async (guarded: boolean, runs: number) => {
        const { graph, values, results } = trace(name, build);
        const program = await Program.compile(device(), graph, { results, guarded });
        for (let run = 0; run < runs; run++) {
          for (const [tensor, input] of values) if (program.uses(tensor)) program.write(tensor, input.values);
          program.run();
        }
        const read = await Promise.all(results.map(async (tensor) => new Uint32Array(await program.read(tensor))));
        program.destroy();
        return read;
      };
      const alone = await bits(true, 1);
      expect(await bits(false, 1)).toEqual(alone);
      expect(await bits(false, 3)).toEqual(alone);
    });
  });
});

describeWithHalves('maps in f16', () => {
  const device = useDevice({ precision: 'f16' });

  /** The unfused graph with its maps in f16: each rounding may move what follows, kinks included. */
  function stored(training: Training): Training {
    storeHalves(training.graph, new Set(training.results));
    return training;
  }

  test.each(networks.slice(0, 4))(
    '$name: loss, gradients and running statistics are right',
    async ({ name, build }) => {
      const expected = expectedByNumber(stored(trace(name, build)));
      for (const without of [[], passNames]) {
        const { graph, values, results } = trace(name, build);
        const run = await runGuarded({ device: device(), graph, values, results, without });
        expect(graph.nodes.some(({ outputs }) => outputs.some(({ dtype }) => dtype === 'f16'))).toBe(true);
        const wanted = new Map(results.map((tensor, number) => [tensor, expected[number] as Expected]));
        const lines = [...compareResults(name, run.results, wanted), ...run.overruns];
        if (lines.length > 0) expect.fail(lines.join('\n'));
      }
    },
  );
});
