import { UserError } from '../../../src/base/errors.ts';
import type { FileSystem } from '../../../src/base/files.ts';
import type { DecodedImage } from '../../../src/data/image.ts';
import { readMura } from '../../../src/data/mura.ts';
import { type ImageLoader, memoryPixels, type PackedSplit, packSplit } from '../../../src/data/packed.ts';
import {
  type PhantomOptions,
  phantomImageFiles,
  phantomIndexFiles,
  planPhantom,
  renderPhantom,
} from '../../../src/data/phantom/index.ts';
import { resizeSquare } from '../../../src/data/resize.ts';
import type { OnProgress } from '../engine-api.ts';

/** The data set's folder, which exists in memory alone. */
const NAME = 'phantom';
/** Longer side of the pictures that are resized for training, in pixels, at least; and of the one that is shown. */
const SMALLEST_PICTURE = 96;
const SHOWN_PICTURE = 320;

export interface PhantomSet {
  readonly train: PackedSplit;
  readonly valid: PackedSplit;
  /** An abnormal picture of the validation split, to be shown. */
  readonly shown: DecodedImage;
}

/** The CSV files of a data set. */
function filesOf(texts: ReadonlyMap<string, string>): FileSystem {
  const refuse = () => Promise.reject(new UserError(`${NAME}: the set has no other files than its lists`));
  return {
    exists: async (path) => texts.has(path),
    readText: async (path) => texts.get(path) ?? refuse(),
    readBytes: refuse,
    list: refuse,
    writeAtomic: refuse,
    remove: refuse,
    makeDirectory: refuse,
  };
}

const draw = (...[study, view, size]: Parameters<typeof renderPhantom>): DecodedImage => {
  const { width, height, grey } = renderPhantom(study, view, size);
  return { width, height, channels: 1, data: grey };
};

/** Draws a phantom set in memory, square images of `imageSize` pixels; ends early where the signal is aborted. */
export async function makePhantomSet(
  options: PhantomOptions,
  imageSize: number,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<PhantomSet> {
  const studies = planPhantom(options);
  const pictures = new Map(phantomImageFiles(NAME, studies).map((one) => [one.path, one]));
  const index = await readMura(
    filesOf(new Map(phantomIndexFiles(NAME, studies).map(({ path, text }) => [path, text]))),
    NAME,
  );
  let done = 0;
  const load: ImageLoader = async (directory, paths, size) => {
    const images: Uint8Array[] = [];
    for (const path of paths) {
      const { study, view } = pictures.get(`${directory}/${path}`) as { study: (typeof studies)[number]; view: number };
      const picture = draw(study, view, Math.max(SMALLEST_PICTURE, size));
      images.push(resizeSquare(picture, size));
      onProgress({ done: ++done, total: pictures.size, what: 'drawing phantoms' });
      // Messages are handled in between.
      await new Promise((resolve) => setTimeout(resolve));
      signal.throwIfAborted();
    }
    return { images: images.map(() => ({ channels: 1 })), pixels: memoryPixels(images) };
  };
  const train = await packSplit(NAME, index.train, imageSize, load);
  const valid = await packSplit(NAME, index.valid, imageSize, load);
  const abnormal = studies.find(({ split, label }) => split === 'valid' && label === 1) ?? studies[0];
  return { train, valid, shown: draw(abnormal as (typeof studies)[number], 0, SHOWN_PICTURE) };
}
