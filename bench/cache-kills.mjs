// Kills the builder of the image cache with SIGKILL at random moments, while it begins a cache or updates one whose files
// have changed, and lets another one go on. Fails where the cache then differs by a byte from one that was built without a
// kill, or where a shard that a killed builder left does.
//     npm run build && node bench/cache-kills.mjs [--rounds 50] [--studies 120] [--size 128] [--seed 0]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../dist/base/random.js';
import { readMura } from '../dist/data/mura.js';
import { nodeFiles } from '../dist/io/node.js';
import { imageCache } from '../dist/io/node-image-cache.js';
import { writePhantom } from '../dist/io/node-phantom.js';

/** Milliseconds in which a builder only starts. */
const START = 100;
/** Few, so that a killed builder leaves some of many shards. */
const SHARD_IMAGES = 8;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    studies: { type: 'string', default: '120' },
    size: { type: 'string', default: '128' },
    seed: { type: 'string', default: '0' },
    // What a builder is told.
    build: { type: 'string' },
    data: { type: 'string' },
  },
});
const size = Number(values.size);
const rounds = Number(values.rounds);

async function build(folder, data) {
  const { train } = await readMura(nodeFiles, data);
  const load = imageCache({ folder, shardImages: SHARD_IMAGES, note: console.error });
  const paths = train.images.map(({ path }) => path);
  const { pixels } = await load(data, paths, size);
  await pixels.close();
  return paths.length;
}

/** Builds in a process of its own, killed after `ms` milliseconds. Resolves to whether it was killed. */
function buildApart(folder, data, ms) {
  const words = ['--build', folder, '--data', data, '--size', String(size)];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  const timer = ms === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), ms);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 || signal === 'SIGKILL') resolve(signal === 'SIGKILL');
      else reject(new Error(`the builder ended with code ${code}, ${signal}`));
    });
  });
}

/** The hashes of the shards of a cache, by name. */
function contents(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) =>
    name.endsWith('.images'),
  );
  return new Map(
    names
      .map(({ name, parentPath }) => {
        return [
          name,
          createHash('sha256')
            .update(readFileSync(join(parentPath, name)))
            .digest('hex'),
        ];
      })
      .sort(),
  );
}

/**
 * Two states of a data set, between which every fifth of its first images swaps its content with another one, and the
 * images after those get another time of change.
 */
function statesOf(data, paths) {
  const changed = paths.filter((_, index) => index % 5 === 0).map((path) => join(data, path));
  const touched = paths.filter((_, index) => index % 5 === 1).map((path) => join(data, path));
  const before = changed.map((file) => readFileSync(file));
  const after = before.toReversed();
  return [before, after].map((files, state) => () => {
    for (const [index, file] of changed.entries()) writeFileSync(file, files[index]);
    for (const file of [...changed, ...touched]) utimesSync(file, 1e9 + state, 1e9 + state);
  });
}

async function main() {
  const work = mkdtempSync(join(tmpdir(), 'murad-kills-'));
  try {
    const data = join(work, 'set');
    await writePhantom(data, { studies: Number(values.studies), seed: 0, size: Math.round(1.5 * size) });
    const { train } = await readMura(nodeFiles, data);
    const paths = train.images.map(({ path }) => path);
    const states = statesOf(data, paths.slice(0, 40));
    const whole = [];
    let duration = 0;
    for (const [state, enter] of states.entries()) {
      enter();
      const began = performance.now();
      await buildApart(join(work, `whole${state}`), data);
      duration = performance.now() - began;
      whole.push(contents(join(work, `whole${state}`)));
    }
    console.log(
      `without a kill: ${whole[0].size} shards of ${SHARD_IMAGES} images at ${size} px, ${duration.toFixed(0)} ms`,
    );
    const random = new Random(Number(values.seed));
    const cache = join(work, 'cache');
    mkdirSync(cache);
    let [kills, between, updates] = [0, 0, 0];
    for (let state = 0; kills < rounds; state = 1 - state) {
      states[state]();
      // Either the builder finds the images of the other state, or nothing.
      const isUpdate = contents(cache).size > 0 && random.chance(0.5);
      if (!isUpdate) for (const name of readdirSync(cache)) rmSync(join(cache, name), { recursive: true });
      const moment = () => (kills < rounds ? random.uniform(START, isUpdate ? duration / 2 : duration) : undefined);
      while (await buildApart(cache, data, moment())) {
        kills++;
        if (isUpdate) updates++;
        const shards = [...contents(cache)];
        const isOfEither = ([name, hash]) => whole.some((files) => files.get(name) === hash);
        if (!shards.every(isOfEither)) throw new Error('a killed builder left a shard that differs');
        const done = shards.filter(([name, hash]) => whole[state].get(name) === hash).length;
        if (done > 0 && done < whole[state].size) between++;
        if (random.chance(0.5)) await buildApart(cache, data);
      }
      const found = JSON.stringify([...contents(cache)]);
      if (found !== JSON.stringify([...whole[state]])) throw new Error(`the cache differs: ${found}`);
    }
    console.log(
      `${kills} kills, ${updates} of them of an update, ${between} with a part of the shards written: the same bytes every time`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (values.build) await build(values.build, values.data);
else await main();
