import { type WritePhantomOptions, writePhantom } from '../io/node-phantom.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

/** Writes a synthetic data set in MURA's layout with progress, until it is interrupted. Returns the number of images. */
export async function drawPhantom(directory: string, options: WritePhantomOptions, context: Context): Promise<number> {
  const signal = context.interruption();
  const progress = context.progress('drawing', 'images');
  try {
    return await writePhantom(directory, { ...options, signal, onProgress: progress.update });
  } finally {
    progress.end();
  }
}

/** Writes a synthetic data set in MURA's layout. */
export async function run({ directory, studies, size, seed }: Options<'phantom'>, context: Context): Promise<Output> {
  const images = await drawPhantom(directory, { studies, size, seed }, context);
  return {
    json: { directory, studies, images, size, seed },
    text: `${directory}: ${images} images of ${studies} studies, ${size} px, seed ${seed}`,
  };
}
