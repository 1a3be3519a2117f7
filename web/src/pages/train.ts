import { proxy } from 'comlink';
import { figure, percent } from '../../../src/base/figures.ts';
import { models } from '../../../src/models/index.ts';
import type { EpochMetrics } from '../../../src/train/run-state.ts';
import type { App, Page } from '../app.ts';
import type { Progress, TrainOptions, TrainPicture } from '../engine-api.ts';
import { download, h, labelled, messageOf, select } from '../ui/dom.ts';
import { makeJob } from '../ui/job.ts';
import { lossChart } from '../ui/loss-chart.ts';
import type { ProgressBar } from '../ui/progress.ts';

const optionsOf = (values: readonly number[], unit: string) =>
  values.map((value) => [String(value), `${value} ${unit}`] as const);

/** What a GPU trains in a minute or two, and what a software adapter does. */
const DEFAULTS = {
  hardware: { size: '128', studies: '200', epochs: '5', batch: '16' },
  software: { size: '64', studies: '24', epochs: '2', batch: '8' },
} as const;

function makeSettings(isHardware: boolean) {
  const defaults = DEFAULTS[isHardware ? 'hardware' : 'software'];
  const names = models.map(({ name, title }) => [name, title] as const);
  const model = select(names, 'densenet121', { id: 'train-model' });
  const size = select(optionsOf([32, 64, 96, 128, 160, 224], 'px'), defaults.size, { id: 'train-size' });
  const studies = select(optionsOf([8, 24, 60, 200, 500], 'studies'), defaults.studies, { id: 'train-studies' });
  const batch = select(optionsOf([4, 8, 16, 32], 'images'), defaults.batch, { id: 'train-batch' });
  const epochs = select(optionsOf([1, 2, 5, 10, 20], 'epochs'), defaults.epochs, { id: 'train-epochs' });
  const rate = select(
    [
      ['1e-4', '0.0001'],
      ['3e-4', '0.0003'],
      ['1e-3', '0.001'],
    ],
    '3e-4',
    { id: 'train-rate' },
  );
  const from = select(
    [
      ['fresh', 'random weights'],
      ['loaded', 'the weights of the Read page'],
    ],
    'fresh',
    { id: 'train-from' },
  );
  const read = (): TrainOptions => ({
    model: model.value,
    imageSize: Number(size.value),
    studies: Number(studies.value),
    batchSize: Number(batch.value),
    learningRate: Number(rate.value),
    seed: 0,
    fromWeights: from.value === 'loaded',
  });
  const element = h(
    'div',
    { class: 'grid' },
    labelled('Network', model),
    labelled('Image size', size),
    labelled('Phantom set', studies),
    labelled('Batch', batch),
    labelled('Epochs at a time', epochs),
    labelled('Learning rate', rate),
    labelled('Begin with', from),
  );
  return { element, read, epochs: () => Number(epochs.value) };
}

/** The pictures of the class activation map after each epoch, the newest first. */
function makePictures() {
  const element = h('ol', { class: 'pictures', id: 'train-pictures', reversed: true });
  const addresses: string[] = [];
  return {
    element,
    add(epoch: number, { probability, overlay }: TrainPicture) {
      const address = URL.createObjectURL(overlay);
      addresses.push(address);
      const when = epoch === 0 ? 'before training' : `after epoch ${epoch}`;
      const caption = `${when}: ${percent(probability)}`;
      const image = h('img', { src: address, alt: `Map of an abnormal phantom ${when}` });
      element.prepend(h('li', {}, h('figure', {}, image, h('figcaption', {}, caption))));
    },
    clear() {
      for (const address of addresses.splice(0)) URL.revokeObjectURL(address);
      element.replaceChildren();
    },
  };
}

function describe({ epoch, train_loss, valid_loss, images, images_per_s }: EpochMetrics): string {
  const scores = `accuracy ${percent(images.accuracy, 0)}, AUC ${figure(images.auc, 3)}`;
  const losses = `training loss ${train_loss.toFixed(4)}, validation loss ${valid_loss.toFixed(4)}`;
  return `Epoch ${epoch}: ${losses}, ${scores} on the validation images; ${images_per_s.toFixed(1)} images/s`;
}

/** Where a run shows itself, and what the engine tells of it. */
function makeRecord(bar: ProgressBar) {
  const chart = lossChart();
  const pictures = makePictures();
  const log = h('ol', { class: 'epochs', id: 'train-log' });
  let steps = 1;
  return {
    elements: [
      bar.element,
      chart.element,
      log,
      h('h3', {}, 'Where it looks: an abnormal picture that it is not trained on'),
      pictures.element,
    ],
    clear() {
      chart.clear();
      pictures.clear();
      log.replaceChildren();
    },
    onProgress: (progress: Progress) => bar.show(progress),
    onStart: (stepsOfEpoch: number) => {
      steps = stepsOfEpoch;
    },
    onStep({ step, loss }: { step: number; loss: number }) {
      chart.addTraining(step, loss);
      const what = `steps of epoch ${Math.ceil(step / steps)}, loss ${loss.toFixed(4)}`;
      bar.show({ done: step % steps || steps, total: steps, what });
    },
    onEpoch(epoch: number, metrics: EpochMetrics | undefined, picture: TrainPicture) {
      pictures.add(epoch, picture);
      if (!metrics) return;
      chart.addValidation(epoch * steps, metrics.valid_loss);
      log.append(h('li', {}, describe(metrics)));
    },
  };
}

function make(app: App): HTMLElement {
  const { engine, adapter, notice } = app;
  const settings = makeSettings(adapter.kind === 'hardware');
  const { start, stop, bar, run } = makeJob(app, 'train', 'Train');
  const record = makeRecord(bar);
  const go = h('button', { type: 'button', id: 'train-continue', hidden: true }, 'Continue');
  const save = h('button', { type: 'button', id: 'train-save', hidden: true }, 'Download the weights');
  /** Continue and Download are there where there is a run and it rests. */
  const train = async (task: () => Promise<void>) => {
    go.hidden = save.hidden = true;
    await run(task);
    go.hidden = save.hidden = !(await engine.hasTraining());
  };
  const begin = async () => {
    record.clear();
    const told = [proxy(record.onProgress), proxy(record.onStep), proxy(record.onEpoch)] as const;
    const { steps } = await engine.prepareTraining(settings.read(), ...told);
    record.onStart(steps);
    await engine.trainOn(settings.epochs());
  };
  start.addEventListener('click', () => void train(begin));
  go.addEventListener('click', () => void train(async () => void (await engine.trainOn(settings.epochs()))));
  save.addEventListener('click', async () => {
    try {
      const { name, bytes } = await engine.trainedWeights();
      download(name, new Blob([bytes as Uint8Array<ArrayBuffer>]));
    } catch (error) {
      notice(messageOf(error), 'error');
    }
  });
  return h(
    'section',
    { class: 'card wide', 'aria-labelledby': 'train-title' },
    h('h2', { id: 'train-title' }, 'Train here'),
    h('p', {}, 'Draws a set of synthetic radiographs in this page and trains a network on it, on this GPU.'),
    settings.element,
    h('p', { class: 'buttons' }, start, stop, go, save),
    ...record.elements,
  );
}

export const trainPage: Page = { id: 'train', title: 'Train here', make };
