/** A worker thread that renders, encodes and writes phantom images for node-phantom.ts. */
import { writeFile } from 'node:fs/promises';
import { type PhantomBox, type PhantomStudy, renderPhantom } from '../data/phantom/index.ts';
import { fileError } from './node.ts';
import { encodeNodePng } from './node-png.ts';
import { serveJobs } from './node-worker-side.ts';

export interface PhantomJob {
  /** `file` lies in a folder that exists. */
  images: readonly { file: string; study: PhantomStudy; view: number }[];
  /** Longer side in pixels. */
  size: number;
}

serveJobs(async ({ images, size }: PhantomJob) => {
  const result: (readonly PhantomBox[])[] = [];
  for (const { file, study, view } of images) {
    const { width, height, grey, boxes } = renderPhantom(study, view, size);
    const bytes = await encodeNodePng({ width, height, channels: 1, data: grey });
    try {
      await writeFile(file, bytes);
    } catch (error) {
      throw fileError(error, 'write', file);
    }
    result.push(boxes);
  }
  return { result };
});
