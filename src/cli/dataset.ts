import { summarizeDataset } from '../data/summary.ts';
import { renderSummary } from '../data/summary-text.ts';
import { nodeFiles } from '../io/node.ts';
import { nodeImageReader } from '../io/node-workers.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

/** Table 2 of the paper for a data set, and what is wrong with its files. */
export async function run({ directory }: Options<'dataset'>, context: Context): Promise<Output> {
  const progress = context.progress('reading', 'images');
  try {
    const summary = await summarizeDataset(nodeFiles, directory, nodeImageReader, progress.update);
    return { json: summary, text: renderSummary(summary) };
  } finally {
    progress.end();
  }
}
