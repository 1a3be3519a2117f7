import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readMura } from '../../src/data/mura.ts';
import { planPhantom, renderPhantom } from '../../src/data/phantom/index.ts';
import { summarizeDataset } from '../../src/data/summary.ts';
import { nodeFiles } from '../../src/io/node.ts';
import { writePhantom } from '../../src/io/node-phantom.ts';
import { nodeDecoder } from '../../src/io/node-png.ts';
import { nodeImageReader } from '../../src/io/node-workers.ts';
import { temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();
const OPTIONS = { studies: 12, seed: 4, size: 48 };

/** One hash over the names and the contents of all files. */
function digest(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    hash.update(name);
    if (/\.(png|csv)$/.test(name)) hash.update(readFileSync(`${directory}/${name}`));
  }
  return hash.digest('hex');
}

describe('writePhantom', () => {
  it('writes a whole data set that the readers take without a complaint', async () => {
    const progress: [number, number][] = [];
    const target = `${folder}/new/bones`;
    const count = await writePhantom(target, { ...OPTIONS, onProgress: (...both) => progress.push(both) });
    expect(progress.at(-1)).toEqual([count, count]);
    expect(readdirSync(`${folder}/new`)).toEqual(['bones']);
    const { train, valid, problems } = await readMura(nodeFiles, target);
    expect([train.studies.length + valid.studies.length, problems.length]).toEqual([12, 0]);
    const summary = await summarizeDataset(nodeFiles, target, nodeImageReader);
    expect([summary.grey, summary.missing, summary.unlisted, summary.undecodable]).toEqual([count, [], [], []]);
    expect(summary.height?.max).toBe(48);
    const study = planPhantom(OPTIONS)[0];
    const { grey, ...shape } = renderPhantom(study as NonNullable<typeof study>, 0, 48);
    const path = train.images[0]?.path ?? '';
    const image = await nodeDecoder.decode(await nodeFiles.readBytes(`${target}/${path}`), path);
    expect([image.width, image.height, image.channels]).toEqual([shape.width, shape.height, 1]);
    expect(image.data).toEqual(grey);
    const boxes = readFileSync(`${target}/boxes.csv`, 'utf8').trimEnd().split('\n');
    expect(boxes[0]).toBe('image,x,y,width,height,kind');
    expect(boxes.slice(1).every((line) => /^bones\/.*_positive\/image\d\.png,\d+,\d+,\d+,\d+,/.test(line))).toBe(true);
    expect(boxes.length).toBeGreaterThan(1);
  });

  it('writes the same twice, into a new folder or an empty one', async () => {
    mkdirSync(`${folder}/a/set`, { recursive: true });
    await writePhantom(`${folder}/a/set`, OPTIONS);
    await writePhantom(`${folder}/b/set`, OPTIONS);
    await writePhantom(`${folder}/c/set`, { ...OPTIONS, seed: 5 });
    expect(digest(`${folder}/a/set`)).toBe(digest(`${folder}/b/set`));
    expect(digest(`${folder}/a/set`)).not.toBe(digest(`${folder}/c/set`));
  });

  it('refuses a folder that holds something and leaves it alone', async () => {
    mkdirSync(`${folder}/full`);
    writeFileSync(`${folder}/full/mine`, 'x');
    await expect(writePhantom(`${folder}/full`, OPTIONS)).rejects.toThrow(
      `${folder}/full is not empty: name a new folder for the phantom data set, or empty this one`,
    );
    await expect(writePhantom(`${folder}/full/mine`, OPTIONS)).rejects.toThrow('a part of the path is a file');
    expect(readdirSync(`${folder}/full`)).toEqual(['mine']);
  });

  it('leaves nothing where it is aborted or fails', async () => {
    const control = new AbortController();
    const onProgress = () => control.abort(new Error('stopped'));
    const options = { ...OPTIONS, studies: 60, signal: control.signal, onProgress };
    await expect(writePhantom(`${folder}/stopped/set`, options)).rejects.toThrow('stopped');
    expect(readdirSync(`${folder}/stopped`)).toEqual([]);
    await expect(writePhantom(`${folder}/failed/set`, { ...OPTIONS, studies: 0 })).rejects.toThrow('phantom:');
    expect(existsSync(`${folder}/failed/set`)).toBe(false);
  });
});
