#!/usr/bin/env node
// Writes the best weights of a run as a small file (f16) under weights/:
//   node scripts/bundle-weights.js RUN weights/densenet121-phantom-64px.safetensors
import { readFileSync, writeFileSync } from 'node:fs';
import { readSafetensors, writeSafetensors } from '../dist/weights/safetensors.js';
import { toFloatDtype } from '../dist/weights/tensor-data.js';

const [run, out] = process.argv.slice(2);
if (!run || !out) {
  process.stderr.write('usage: bundle-weights.js RUN OUT\n');
  process.exit(2);
}
const config = JSON.parse(readFileSync(`${run}/config.json`, 'utf8'));
const { tensors } = readSafetensors(run, readFileSync(`${run}/best.safetensors`));
const small = new Map(
  [...tensors].map(([key, tensor]) => [key, tensor.dtype === 'F32' ? toFloatDtype(tensor, 'F16') : tensor]),
);
const metadata = { model: config.model, image_size: String(config.image_size) };
writeFileSync(out, writeSafetensors(small, metadata));
