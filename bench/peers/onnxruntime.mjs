// ONNX Runtime on the network's exported file, on the execution provider that `config.provider` names.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import ort from 'onnxruntime-node';
import { openSwiftShader, systemHasVulkan } from '../../dist/gpu/node-swiftshader.js';
import { config, fileOf, readImages, serve } from './worker.mjs';

// Its Dawn opens libvulkan.so.1 by name and finds the one that is loaded already.
if (config.adapterKind === 'embedded') await openSwiftShader();
else systemHasVulkan();

const { version } = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'), 'utf8'),
);
const { provider, batchSize, imageSize } = config;

await serve(
  { version, toggles: provider === 'webgpu' ? 'those of its own Dawn, by default' : 'none' },
  {
    async inference() {
      const session = await ort.InferenceSession.create(fileOf('network.onnx'), { executionProviders: [provider] });
      const image = new ort.Tensor('float32', readImages(), [batchSize, 3, imageSize, imageSize]);
      return async (steps) => {
        let result;
        for (let step = 0; step < steps; step++) result = await session.run({ image });
        return result.logits.data;
      };
    },
  },
);
