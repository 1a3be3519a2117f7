import { resolve } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { nodeFiles } from '../io/node.ts';
import { exportOnnx as encodeOnnxNetwork } from '../models/onnx/index.ts';
import { convertWeights, inspectWeights } from '../weights/inspect.ts';
import type { CommandModule, Output } from './command.ts';
import { loadRun } from './loaded-run.ts';
import { alignColumns } from './text-table.ts';
import { packageVersion } from './version.ts';

const figure = (value: number | null): string => (value === null ? '-' : String(Number(value.toPrecision(4))));

/** Lists the tensors of a weights file. */
export const inspect: CommandModule<'weights inspect'> = {
  async run({ file }) {
    const tensors = inspectWeights(file, await nodeFiles.readBytes(file));
    const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
    const elements = tensors.reduce((sum, { shape }) => sum + count(shape), 0);
    const rows = tensors.map(({ name, dtype, shape, min, max, mean }) => {
      return [name, dtype, `[${shape.join(', ')}]`, figure(min), figure(max), figure(mean)];
    });
    const table = alignColumns([['tensor', 'type', 'shape', 'min', 'max', 'mean'], ...rows], 3);
    const total = `${tensors.length} tensors, ${elements.toLocaleString('en')} elements`;
    return { json: { file, tensors }, text: [...table, total].join('\n') };
  },
};

/** Refuses to write over what is read, which the command line calls `name`. */
function refuseOverwriting(name: string, file: string, out: string): void {
  if (resolve(out) === resolve(file)) throw new UsageError(`OUT is ${name}, ${file}: name another file to write`);
}

async function write(file: string, out: string, bytes: Uint8Array): Promise<Output> {
  await nodeFiles.writeAtomic(out, bytes);
  return { json: { file, out, bytes: bytes.length }, text: `${out}: ${bytes.length.toLocaleString('en')} bytes` };
}

/** Writes a weights file anew as .safetensors. */
export const convert: CommandModule<'weights convert'> = {
  async run({ file, out, dtype }) {
    refuseOverwriting('FILE', file, out);
    return write(file, out, convertWeights(file, await nodeFiles.readBytes(file), dtype));
  },
};

/** Writes the network of a run with its weights as an ONNX file. */
export const exportOnnx: CommandModule<'weights export-onnx'> = {
  async run({ run, out, ...given }) {
    const { definition, imageSize, weights } = await loadRun(run, given);
    const { file, tensors, normalisation } = weights;
    refuseOverwriting("RUN's weights file", file, out);
    const options = { imageSize, normalisation, producerVersion: packageVersion() };
    return write(file, out, encodeOnnxNetwork(definition, file, tensors, options));
  },
};
