import { UserError } from '../base/errors.ts';
import { sizeKey } from '../graph/choices.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { type LayerCase, layerCases } from '../models/layer-cases.ts';
import type { ChoicesFile } from '../train/choices-file.ts';
import { cacheChoices } from './choices.ts';
import type { Context } from './command.ts';
import type { Opened } from './session.ts';
import { type Plans, plansOf } from './train-plans.ts';

const ROUNDS = 9;

/**
 * Checks every kernel that fits these sizes, whose plans are to be destroyed before, times those to choose from, and
 * keeps what is fastest for later runs too. Returns the choices before, renewed.
 */
async function tuneLayers(
  { device }: Opened,
  layers: readonly LayerCase[],
  before: ChoicesFile,
  context: Context,
): Promise<ChoicesFile> {
  const { hasChoice, tunablesOf, tune } = await import('../bench/tune.ts');
  const tunables = tunablesOf(layers, device.traits);
  const progress = context.progress('tuning', 'sizes');
  const options = {
    rounds: ROUNDS,
    signal: context.interruption(),
    note: context.note,
    onProgress: (done: number, total: number) => progress.update(done, total),
  };
  const tuned = { ...before, ...(await tune(device, tunables, before, options).finally(() => progress.end())) };
  const timed = tunables.filter(hasChoice);
  const changed = timed.filter(({ key, variants: [first] }) => tuned.choices[key] !== first).length;
  context.note(
    `checked ${tunables.length} sizes, tuned ${timed.length}: at ${changed} another kernel than the first that fits is chosen`,
  );
  await cacheChoices(tuned, context);
  return tuned;
}

/** What a run that is tuned has of itself. */
interface Tuned {
  readonly definition: ModelDefinition;
  readonly settings: { readonly image_size: number };
  readonly opened: Opened;
  readonly choices: ChoicesFile;
  readonly context: Context;
}

/**
 * Checks and tunes the kernels at the sizes of a run's plans, which `plan` makes and which are destroyed again. Where one
 * is wrong that had no other, plans are made without the fusion that brought it in, and what they run instead is checked
 * too; throws the UserError of a plan that cannot do without it.
 */
export async function tuneRun(
  { definition, settings, opened, choices, context }: Tuned,
  plan: (choices: ChoicesFile) => Promise<Plans>,
): Promise<ChoicesFile> {
  const layersOfPlans = async (given: ChoicesFile) => {
    const plans = await plan(given);
    await Promise.all([plans.step.destroy(), plans.inference.destroy()]);
    const { layersOf } = await import('../bench/tune.ts');
    return layersOf(plansOf(plans));
  };
  let layers: LayerCase[];
  let known = choices;
  try {
    // What was wrong before is looked at again.
    layers = await layersOfPlans({ ...choices, wrong: [] });
  } catch (error) {
    if (error instanceof UserError) throw error;
    // A kernel does not run at all. Which one shows with the fewest images too; without it there are plans.
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    context.note(`looking for kernels that do not run: ${line}`);
    const fewest = layerCases(definition, { imageSize: settings.image_size, batchSize: 2 }, [], opened.device.traits);
    known = await tuneLayers(opened, fewest, choices, context);
    layers = await layersOfPlans(known);
  }
  const checked = new Set<string>();
  while (layers.length > 0) {
    known = await tuneLayers(opened, layers, known, context);
    if (known.wrong.length === 0) break;
    for (const layer of layers) checked.add(sizeKey(layer));
    const ofPlans = await layersOfPlans(known);
    layers = ofPlans.filter((layer) => !checked.has(sizeKey(layer)));
  }
  return known;
}
