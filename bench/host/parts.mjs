// The parts of bench/host.mjs in order of worth: what each runs, how long at most, and what it leaves in the report.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeCommand } from './child.mjs';

const MURAD = 'dist/cli/main.js';
const ROWS_OF_LAYERS = 25;

/** What suits a kind of adapter: sizes of a step, and of what is run beside the peers. */
const SIZES = {
  hardware: { imageSize: 320, batches: [16, 32, 64], peers: ['--size', '320', '--batch', '16', '--steps', '5'] },
  software: { imageSize: 64, batches: [8], peers: ['--size', '64', '--batch', '8', '--steps', '1'] },
  embedded: { imageSize: 32, batches: [2], peers: ['--size', '32', '--batch', '2', '--steps', '1'] },
};

export const sizesFor = (kind, { size, batches }) => ({
  imageSize: size ?? SIZES[kind].imageSize,
  batches: batches ?? SIZES[kind].batches,
  peers: SIZES[kind].peers,
});

const object = ({ output }) => (output ? JSON.parse(output) : undefined);
const rows = (ended) => (ended.rows.length > 0 ? ended.rows : undefined);

/** Without what would make the file large: a figure for each launch. */
function withoutLaunches(ended) {
  const profile = object(ended);
  if (!profile) return undefined;
  const { launches, layers, ...rest } = profile;
  return { ...rest, layers: layers.slice(0, ROWS_OF_LAYERS) };
}

/** What the first part tells of the adapter: the others depend on it. */
export const adapterPart = {
  name: 'adapter',
  most: 60,
  command: ({ adapter }) => nodeCommand(MURAD, 'doctor', '--no-check', '--json', '--adapter', adapter),
  result: object,
};

/**
 * `most`: seconds that it may take; `unless`: why it is left out, where it is. `result` is undefined where a part that did
 * not end well has nothing to keep.
 */
export const parts = [
  {
    name: 'steps',
    most: 150,
    command: (config) => nodeCommand('bench/host/steps.mjs', JSON.stringify(config)),
    result: rows,
  },
  {
    name: 'check',
    most: 150,
    command: ({ adapter }) => nodeCommand(MURAD, 'doctor', '--json', '--adapter', adapter),
    result: (ended) => object(ended)?.kernels,
  },
  {
    name: 'pytorch',
    most: 120,
    unless: ({ python }) => (python?.cuda ? undefined : 'no python3 with torch, torchvision and a CUDA GPU'),
    command: ({ python, ...config }) => [
      python.command,
      fileURLToPath(new URL('torch_steps.py', import.meta.url)),
      JSON.stringify(config),
    ],
    result: rows,
  },
  {
    name: 'kernels',
    most: 60,
    command: ({ adapter, imageSize, batches }) => {
      const sizes = ['--image-size', imageSize, '--batch-size', batches[0], '--rounds', 5].map(String);
      return nodeCommand(MURAD, 'profile', '--json', ...sizes, '--adapter', adapter);
    },
    result: withoutLaunches,
  },
  {
    name: 'peers',
    most: 150,
    command: ({ adapter, folder, peers }) => {
      const words = [...peers, '--rounds', '3', '--adapter', adapter, '--out', join(folder, 'peers.json')];
      return nodeCommand('bench/peers/peers.mjs', ...words);
    },
    result: ({ fault }, { folder }) =>
      fault ? undefined : JSON.parse(readFileSync(join(folder, 'peers.json'), 'utf8')),
  },
  {
    name: 'variants',
    most: 240,
    command: ({ adapter, imageSize, batches }) => {
      const sizes = ['--image-size', imageSize, '--batch-size', batches[0], '--rounds', 3].map(String);
      return nodeCommand(
        MURAD,
        'bench',
        'kernels',
        '--models',
        'densenet121',
        '--json',
        ...sizes,
        '--adapter',
        adapter,
      );
    },
    result: object,
  },
];
