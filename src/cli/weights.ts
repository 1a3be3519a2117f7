import { resolve } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { nodeFiles } from '../io/node.ts';
import { convertWeights, inspectWeights } from '../weights/inspect.ts';
import type { CommandModule } from './command.ts';
import { alignColumns } from './text-table.ts';

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

/** Writes a weights file anew as .safetensors. */
export const convert: CommandModule<'weights convert'> = {
  async run({ file, out, dtype }) {
    if (resolve(out) === resolve(file)) throw new UsageError(`OUT is FILE, ${file}: name another file to write`);
    const bytes = convertWeights(file, await nodeFiles.readBytes(file), dtype);
    await nodeFiles.writeAtomic(out, bytes);
    return { json: { file, out, bytes: bytes.length }, text: `${out}: ${bytes.length.toLocaleString('en')} bytes` };
  },
};
