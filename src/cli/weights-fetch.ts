import { UserError } from '../base/errors.ts';
import { cacheFolder } from '../gpu/node-cache-folder.ts';
import { nodeFiles } from '../io/node.ts';
import { download, hashFile } from '../io/node-download.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel, models } from '../models/index.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { makeFoldersOf } from './output-folder.ts';
import { asUsage } from './usage.ts';

/** torchvision's file of a network. */
interface Published {
  readonly name: string;
  /** What its SHA-256 begins with. */
  readonly sha256: string;
}

function publishedFile({ name, imagenetWeights }: ModelDefinition): Published {
  const [, sha256] = /-([0-9a-f]{8,})\.pth$/.exec(imagenetWeights ?? '') ?? [];
  if (!imagenetWeights || !sha256) throw new UserError(`torchvision publishes no weights of ${name}`);
  return { name: imagenetWeights, sha256 };
}

/** Where `weights fetch` keeps a file for `train --pretrained NAME`. */
const keptFile = (name: string): string => cacheFolder('weights', name);

/** The file of weights that `--pretrained` means: a network's name stands for its ImageNet weights as they were fetched. */
export async function pretrainedFile(given: string): Promise<string> {
  const definition = models.find(({ name }) => name === given);
  if (!definition) return given;
  const file = keptFile(publishedFile(definition).name);
  if (await nodeFiles.exists(file)) return file;
  throw new UserError(
    `${file}, the ImageNet weights of ${given}, is not there: murad weights fetch ${given} fetches it`,
  );
}

/** Fetches torchvision's ImageNet weights of a network; what is there already is checked and kept. */
export async function run(options: Options<'weights fetch'>, context: Context): Promise<Output> {
  const { name, sha256 } = publishedFile(asUsage(() => findModel(options.name)));
  const file = options.out ?? keptFile(name);
  const answer = (found: string, fetched: boolean) => ({
    json: { name: options.name, file, sha256: found, fetched },
    text: fetched ? file : `${file} is there already, and its checksum is right`,
  });
  if (await nodeFiles.exists(file)) {
    const found = await hashFile(file);
    if (found.startsWith(sha256)) return answer(found, false);
    throw new UserError(`${file} is another file: its SHA-256 ${found} does not begin with ${sha256}; remove it`);
  }
  await makeFoldersOf(file);
  const signal = context.interruption();
  const progress = context.progress(`fetching ${name}`, 'MB');
  const onProgress = (bytes: number, total: number | undefined) => {
    if (total !== undefined) progress.update(Math.round(bytes / 1e6), Math.round(total / 1e6));
  };
  try {
    const url = `${options.url.replace(/\/+$/, '')}/${name}`;
    return answer(await download(url, { file, sha256, onProgress, signal }), true);
  } finally {
    progress.end();
  }
}
