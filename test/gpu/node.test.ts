import { describe, expect, test } from 'vitest';
import { openAdapter } from '../../src/gpu/node.ts';
import { adapterKind, testAdapter } from '../support/adapter.ts';

/** Runs `x[i] = 2 i` on 64 lanes and returns x. */
async function runDoubling(device: GPUDevice): Promise<Float32Array> {
  const code = `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) { x[i] = f32(i) * 2.0; }`;
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const x = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: x } }] }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(x, 0, read, 0, 256);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const result = new Float32Array(read.getMappedRange().slice(0));
  device.destroy();
  return result;
}

const doubled = Float32Array.from({ length: 64 }, (_, i) => 2 * i);

describe('openAdapter', () => {
  test('opens the adapter of this run and computes on it', async () => {
    const found = await testAdapter();
    expect(found.kind).toBe(adapterKind);
    expect(found.name).not.toBe('');
    expect(found.driver).not.toBe('');
    expect(found.reason).toMatch(/\w+ \w+/);
    expect(await runDoubling(await found.adapter.requestDevice())).toEqual(doubled);
  });

  test('keeps robustness and validation unless asked', async () => {
    const { toggles } = await testAdapter();
    expect(toggles.enabled).toEqual(['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']);
    expect(toggles.disabled).toEqual(['timestamp_quantization']);
  });

  test('computes without robustness and validation', async () => {
    const adapter = process.env.MURAD_TEST_ADAPTER;
    const found = await openAdapter({ adapter, robustness: false, validation: false });
    expect(found.toggles.enabled).toEqual(expect.arrayContaining(['disable_robustness', 'skip_validation']));
    expect(await runDoubling(await found.adapter.requestDevice())).toEqual(doubled);
  });

  test('an unknown name is an error that says what there is', async () => {
    await expect(openAdapter({ adapter: 'voodoo' })).rejects.toThrow(
      /^--adapter voodoo: no adapter has this in its name/,
    );
  });
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the embedded SwiftShader', () => {
  test('computes, and leaves the environment as it was', async () => {
    const before = { ...process.env };
    const found = await openAdapter({ adapter: 'embedded' });
    expect(found.kind).toBe('embedded');
    expect(found.driver).toContain('SwiftShader');
    expect(process.env).toEqual(before);
    expect(await runDoubling(await found.adapter.requestDevice())).toEqual(doubled);
  });

  test('the adapter of this run is still found after it', async () => {
    await openAdapter({ adapter: 'embedded' });
    expect((await openAdapter({ adapter: process.env.MURAD_TEST_ADAPTER })).kind).toBe(adapterKind);
  });
});
