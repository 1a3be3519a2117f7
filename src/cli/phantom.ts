import { writePhantom } from '../io/node-phantom.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

/** Writes a synthetic data set in MURA's layout. */
export async function run(options: Options<'phantom'>, context: Context): Promise<Output> {
  const { directory, studies, size, seed } = options;
  const progress = context.progress('drawing', 'images');
  try {
    const signal = context.interruption();
    const images = await writePhantom(directory, { studies, size, seed, signal, onProgress: progress.update });
    return {
      json: { directory, studies, images, size, seed },
      text: `${directory}: ${images} images of ${studies} studies, ${size} px, seed ${seed}`,
    };
  } finally {
    progress.end();
  }
}
