import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Device } from '../../src/gpu/device.ts';
import { LaunchTimer } from '../../src/gpu/launch-timer.ts';
import { openAdapter } from '../../src/gpu/node.ts';
import { loadShader } from '../../src/gpu/node-shaders.ts';
import { packUniforms } from '../../src/gpu/shader.ts';

/** The adapter of this run, or the same without timestamp queries. */
async function openWith(timestamps: boolean): Promise<Device> {
  const { adapter, name, kind } = await openAdapter({ adapter: process.env.MURAD_TEST_ADAPTER });
  const features = new Set([...adapter.features].filter((feature) => timestamps || feature !== 'timestamp-query'));
  const found = {
    features,
    limits: adapter.limits,
    requestDevice: (descriptor: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
  } as unknown as GPUAdapter;
  return Device.open(found, { adapter: name, kind }, loadShader);
}

describe.each([
  { clock: 'timestamp queries', timestamps: true },
  { clock: 'wall clock', timestamps: false },
])('with $clock', ({ clock, timestamps }) => {
  let device: Device;
  beforeAll(async () => {
    device = await openWith(timestamps);
  });
  afterAll(() => device.destroy());

  test('every launch is run once, and one that is longer takes longer', async () => {
    const timer = new LaunchTimer(device);
    expect(timer.clock).toBe(clock);
    const y = device.createBuffer('y', 16 * 64, GPUBufferUsage.STORAGE);
    const key = { shader: 'peak.wgsl', libraries: [], entry: 'multiply_add', constants: {} };
    const bindings = ['parameters', 'y'];
    const { pipeline, layout, shader } = await device.pipelines.get({ ...key, bindings });
    const groups = [1, 100_000].map((repeats) => {
      const buffer = device.createBuffer('parameters', 16, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      const values = { repeats, vectors: 0, factor: 0.5, term: 1 };
      device.gpu.queue.writeBuffer(buffer, 0, packUniforms('peak.wgsl', shader.uniforms, values));
      const entries = [
        { binding: 0, resource: { buffer } },
        { binding: 2, resource: { buffer: y } },
      ];
      return device.gpu.createBindGroup({ layout, entries });
    });
    const encoded: number[] = [];
    const measure = () =>
      timer.measure(2, (index, pass) => {
        encoded.push(index);
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, groups[index]);
        pass.dispatchWorkgroups(1);
      });
    // The first run also prepares the pipeline.
    await measure();
    const [short = Number.NaN, long = Number.NaN] = await measure();
    expect(encoded).toEqual([0, 1, 0, 1]);
    expect(short).toBeGreaterThan(0);
    expect(long).toBeGreaterThan(short);
    expect(await timer.measure(0, () => {})).toHaveLength(0);
    device.check();
  });

  test('a measure that fails leaves nothing', async () => {
    const { gpu, live } = device;
    const before = { ...live };
    const destroyed = vi.fn();
    const make = gpu.createQuerySet.bind(gpu);
    const made = vi.spyOn(gpu, 'createQuerySet').mockImplementation((descriptor) => {
      const querySet = make(descriptor);
      const destroy = querySet.destroy.bind(querySet);
      querySet.destroy = () => {
        destroyed();
        return destroy();
      };
      return querySet;
    });
    const failing = new LaunchTimer(device).measure(1, () => {
      throw new Error('of the caller');
    });
    await expect(failing).rejects.toThrow('of the caller');
    expect(live).toEqual(before);
    expect(made).toHaveBeenCalledTimes(timestamps ? 1 : 0);
    expect(destroyed).toHaveBeenCalledTimes(timestamps ? 1 : 0);
    made.mockRestore();
  });
});
