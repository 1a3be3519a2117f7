import { proxy } from 'comlink';
import { figure, percent } from '../../../src/base/figures.ts';
import type { App, Page } from '../app.ts';
import type { BenchOptions, BenchReport, Progress } from '../engine-api.ts';
import { download, h, labelled, select } from '../ui/dom.ts';
import { makeJob } from '../ui/job.ts';
import { table } from '../ui/table.ts';

/** The paper's sizes, and one that a software adapter manages in a second. */
const INFERENCE_SIZES = [64, 224, 320] as const;
const ROUNDS = ['1', '5', '15'].map((rounds) => [rounds, rounds] as const);
const KERNELS = [
  ['0', 'no kernels'],
  ['32', 'convolutions at 32 px'],
  ['64', 'convolutions at 64 px'],
  ['224', 'convolutions at 224 px'],
  ['320', 'convolutions at 320 px'],
] as const;

const rows = (cells: readonly (readonly string[])[]) =>
  h('tbody', {}, ...cells.map((row) => h('tr', {}, ...row.map((text) => h('td', {}, text)))));

function tables({ inference, kernels, peaks, batch_size: batch }: BenchReport): HTMLElement[] {
  const peak = `${figure(peaks.gflops_f32, 0)} GFLOP/s in f32, ${figure(peaks.gb_per_s)} GB/s`;
  const inferenceTable = table(
    'Inference of DenseNet-121, one image',
    ['size', 'ms', 'middle half', 'images/s', 'GFLOP/s'],
    rows(
      inference.map((one) => [
        `${one.image_size} px`,
        figure(one.median_ms, 2),
        `${figure(one.lower_ms, 2)} to ${figure(one.upper_ms, 2)}`,
        figure(one.images_per_s),
        figure(one.gflops),
      ]),
    ),
  );
  const kernelTable = table(
    `Convolutions of its training step, batch ${batch}`,
    ['size', 'variant', 'ms', 'GFLOP/s', 'GB/s', 'of the peak'],
    rows(
      kernels.map((one) => [
        one.name,
        one.variant,
        figure(one.median_ms, 3),
        figure(one.gflops),
        figure(one.gb_per_s),
        percent(one.share_of_peak),
      ]),
    ),
  );
  return [
    h('p', { id: 'peaks' }, `Measured peaks of this adapter: ${peak}.`),
    inferenceTable,
    ...(kernels.length > 0 ? [kernelTable] : []),
  ];
}

/** What is to be measured. */
function makeChoices({ kind }: App['adapter']) {
  const isHardware = kind === 'hardware';
  const sizes = INFERENCE_SIZES.map((size) =>
    h('input', { type: 'checkbox', id: `bench-${size}`, value: size, checked: isHardware ? size > 64 : size === 64 }),
  );
  const kernels = select(KERNELS, isHardware ? '224' : '0', { id: 'bench-kernels' });
  const rounds = select(ROUNDS, isHardware ? '15' : '1', { id: 'bench-rounds' });
  const boxes = sizes.map((box) => h('label', { class: 'check' }, box, `${box.value} px`));
  const elements = [
    h('fieldset', {}, h('legend', {}, 'Inference at'), ...boxes),
    h('div', { class: 'grid' }, labelled('Kernels', kernels), labelled('Rounds', rounds)),
  ];
  const read = (): BenchOptions => ({
    inferenceSizes: sizes.filter(({ checked }) => checked).map(({ value }) => Number(value)),
    kernelSize: Number(kernels.value) || undefined,
    rounds: Number(rounds.value),
  });
  return { elements, read };
}

function make(app: App): HTMLElement {
  const { engine, adapter, notice } = app;
  const choices = makeChoices(adapter);
  const { start, stop, bar, run } = makeJob(app, 'bench', 'Measure');
  const copy = h('button', { type: 'button', id: 'bench-copy', hidden: true }, 'Copy as JSON');
  const save = h('button', { type: 'button', id: 'bench-save', hidden: true }, 'Save as JSON');
  const found = h('div', { id: 'bench-result' });
  let json = '';
  const measure = async () => {
    const report = await engine.bench(
      choices.read(),
      proxy((progress: Progress) => bar.show(progress)),
    );
    json = `${JSON.stringify(report, null, 1)}\n`;
    found.replaceChildren(...tables(report));
    copy.hidden = save.hidden = false;
  };
  start.addEventListener('click', () => void run(measure));
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(json).then(
      () => notice('The result is in the clipboard.'),
      () => notice('The browser does not let this page copy: save the file instead.', 'error'),
    );
  });
  save.addEventListener('click', () => download('murad-bench.json', new Blob([json], { type: 'application/json' })));
  return h(
    'section',
    { class: 'card wide', 'aria-labelledby': 'bench-title' },
    h('h2', { id: 'bench-title' }, 'Bench'),
    h('p', {}, 'Times DenseNet-121 and its kernels on this GPU. The JSON has the form of the project’s bench/results.'),
    h(
      'dl',
      { class: 'facts' },
      h('dt', {}, 'Adapter'),
      h('dd', {}, `${adapter.name}${adapter.driver ? `, ${adapter.driver}` : ''} (${adapter.kind})`),
      h('dt', {}, 'Features'),
      h('dd', {}, adapter.features.join(', ') || 'none'),
    ),
    ...choices.elements,
    h('p', { class: 'buttons' }, start, stop, copy, save),
    bar.element,
    found,
  );
}

export const benchPage: Page = { id: 'bench', title: 'Bench', make };
