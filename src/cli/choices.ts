import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { UserError } from '../base/errors.ts';
import type { NodeAdapter } from '../gpu/node.ts';
import { cacheFolder } from '../gpu/node-cache-folder.ts';
import { NO_CHOICES } from '../graph/choices.ts';
import type { Plan } from '../graph/plan.ts';
import { nodeFiles } from '../io/node.ts';
import { type ChoicesFile, formatChoices, isOfAdapter, parseChoices } from '../train/choices-file.ts';
import type { RunFolder } from '../train/run-folder.ts';
import type { Context } from './command.ts';
import { makeOutputFolder } from './output-folder.ts';
import { packageVersion } from './version.ts';

type Identity = Pick<NodeAdapter, 'name' | 'driver'>;

/** Where what `train --tune` chose for an adapter is kept for the runs after it. */
function cacheFile({ name, driver }: Identity): string {
  const hash = createHash('sha256').update(`${name}\n${driver}`).digest('hex').slice(0, 16);
  return cacheFolder(`choices-${hash}.json`);
}

/** The choices of an adapter for which nothing was tuned. */
const untuned = ({ name, driver }: Identity): ChoicesFile => ({
  adapter: name,
  driver,
  version: packageVersion(),
  ...NO_CHOICES,
});

/** What was tuned for an adapter by this version, whose kernels were checked then. */
async function adapterChoices(adapter: Identity, { note }: Pick<Context, 'note'>): Promise<ChoicesFile> {
  const none = untuned(adapter);
  const file = cacheFile(adapter);
  const leftOut = (why: string) => note(`${why}: left out; murad train --tune writes it anew`);
  try {
    if (!(await nodeFiles.exists(file))) return none;
    const found = parseChoices(file, await nodeFiles.readText(file));
    if (isOfAdapter(found, none) && found.version === none.version) return found;
    leftOut(`${file} was tuned by version ${found.version} on ${found.adapter}, ${found.driver}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    leftOut(error.message);
  }
  return none;
}

/**
 * The kernels that a run folder records, whatever was tuned since; without one, what was tuned for the adapter. A run of
 * another adapter or driver takes those of this one, where its own were not checked.
 */
export async function choicesFor(
  folder: RunFolder | undefined,
  adapter: Identity,
  context: Pick<Context, 'note'>,
): Promise<ChoicesFile> {
  if (!folder) return adapterChoices(adapter, context);
  const found = await folder.readChoices();
  const none = untuned(adapter);
  if (!found || isOfAdapter(found, none)) return found ?? none;
  context.note(`${folder.path} chose its kernels on ${found.adapter}, ${found.driver}: this adapter's own are used`);
  return adapterChoices(adapter, context);
}

/** Keeps what was tuned for the runs after this one; one that cannot be written is told of and costs no run. */
export async function cacheChoices(choices: ChoicesFile, { note }: Pick<Context, 'note'>): Promise<void> {
  const file = cacheFile({ name: choices.adapter, driver: choices.driver });
  try {
    await makeOutputFolder(dirname(file));
    await nodeFiles.writeAtomic(file, formatChoices(choices));
    note(`the choices are kept in ${file}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    note(`the choices are not kept for other runs: ${error.message}`);
  }
}

/** The choices with every variant that the plans took: with them, the plans are the same in any later version. */
export const choicesInForce = (choices: ChoicesFile, plans: readonly Plan[]): ChoicesFile => ({
  ...choices,
  choices: Object.assign({}, choices.choices, ...plans.map((plan) => plan.choices)),
});

/** Tells once which choices the plans could not follow. */
export function tellMisfits(plans: readonly Plan[], { note }: Pick<Context, 'note'>): void {
  const misfits = Object.entries(Object.assign({}, ...plans.map((plan) => plan.misfits)) as Record<string, string>);
  const [first] = misfits;
  if (!first) return;
  const others = misfits.length > 1 ? ` and ${misfits.length - 1} more` : '';
  note(
    `chosen kernels that do not exist or fit here: ${first[1]} of ${first[0]}${others}; the first that fits is used`,
  );
}
