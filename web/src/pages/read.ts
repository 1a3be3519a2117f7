import { transfer } from 'comlink';
import type { App, Page } from '../app.ts';
import type { Reading } from '../engine-api.ts';
import { type Sample, sampleFile, samples } from '../samples.ts';
import { h, messageOf } from '../ui/dom.ts';
import { progressBar } from '../ui/progress.ts';
import { Viewer } from '../ui/viewer.ts';
import { Results } from './results.ts';
import { WeightsPanel } from './weights-panel.ts';

/** An image file before it is read. */
interface Source {
  readonly name: string;
  bytes(): Promise<Uint8Array>;
}

const sourceOf = (file: File): Source => ({
  name: file.name,
  bytes: async () => new Uint8Array(await file.arrayBuffer()),
});

const sampleSources = (sample: Sample): Source[] =>
  Array.from({ length: sample.views }, (_, view) => ({
    name: sampleFile(sample, view).replace(/.*\//, ''),
    bytes: async () => new Uint8Array(await (await fetch(sampleFile(sample, view))).arrayBuffer()),
  }));

function makeDropZone(onFiles: (files: readonly File[]) => void): HTMLElement {
  const input = h('input', {
    type: 'file',
    id: 'images',
    accept: '.png,.jpg,.jpeg,image/png,image/jpeg',
    multiple: true,
    class: 'visually-hidden',
  });
  const zone = h(
    'div',
    { class: 'drop', id: 'drop' },
    h('label', { class: 'button primary', for: 'images' }, 'Choose radiographs ...'),
    input,
    h('p', {}, 'or drop PNG or JPEG files here. Several are taken as the views of one study.'),
  );
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    input.value = '';
    if (files.length > 0) onFiles(files);
  });
  // A file that is dropped beside the zone would replace the page.
  const allow = (event: DragEvent) => {
    event.preventDefault();
    zone.classList.toggle('over', event.type === 'dragover');
  };
  for (const type of ['dragover', 'dragleave', 'drop'] as const) document.addEventListener(type, allow);
  document.addEventListener('drop', ({ dataTransfer }) => {
    const files = [...(dataTransfer?.files ?? [])];
    if (files.length > 0 && zone.isConnected) onFiles(files);
  });
  return zone;
}

/** Reads the sources one after the other; `isCurrent` turns false when others were chosen meanwhile. */
async function readAll(
  app: App,
  sources: readonly Source[],
  { isCurrent, tell }: { isCurrent: () => boolean; tell: (index: number, name: string) => void },
): Promise<{ readings: Reading[]; faults: string[] }> {
  const readings: Reading[] = [];
  const faults: string[] = [];
  for (const [index, { name, bytes }] of sources.entries()) {
    if (!isCurrent()) break;
    tell(index, name);
    try {
      const content = await bytes();
      readings.push(await app.engine.read(name, transfer(content, [content.buffer as ArrayBuffer])));
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  return { readings, faults };
}

function make(app: App): HTMLElement {
  const bar = progressBar('Reading images');
  const viewer = new Viewer((by) => results.step(by));
  const results = new Results(app, (reading) => viewer.show(reading));
  let sources: readonly Source[] = [];
  let run = 0;

  const read = async (chosen: readonly Source[]) => {
    sources = chosen;
    const own = ++run;
    app.notice('');
    results.clear();
    viewer.clear();
    bar.show({ done: 0, total: chosen.length, what: 'waiting for the network' });
    const lack = await weights.ready().then(() => undefined, messageOf);
    const tell = (done: number, what: string) => bar.show({ done, total: chosen.length, what });
    const isCurrent = () => own === run;
    const { readings, faults } = lack
      ? { readings: [], faults: [lack] }
      : await readAll(app, chosen, { isCurrent, tell });
    if (own !== run) return;
    bar.hide();
    if (faults.length > 0) app.notice(`Could not be read: ${faults.join('; ')}`, 'error');
    if (readings.length > 0) results.show(readings);
  };
  const weights = new WeightsPanel(app, () => {
    if (sources.length > 0) void read(sources);
  });
  const buttons = samples.map((sample) =>
    h(
      'button',
      { type: 'button', class: 'sample', id: `sample-${sample.id}`, onclick: () => void read(sampleSources(sample)) },
      h('img', { src: sampleFile(sample, 0), alt: '', width: 72, height: 72, loading: 'lazy' }),
      h('span', {}, sample.title),
    ),
  );
  return h(
    'div',
    { class: 'columns' },
    h(
      'div',
      { class: 'side' },
      h(
        'section',
        { class: 'card', 'aria-labelledby': 'images-title' },
        h('h2', { id: 'images-title' }, 'Images'),
        makeDropZone((files) => void read(files.map(sourceOf))),
        h('h3', {}, 'Or try a synthetic sample'),
        h('div', { class: 'samples' }, ...buttons),
      ),
      weights.element,
    ),
    h('div', { class: 'content-column' }, bar.element, results.element, viewer.element),
  );
}

export const readPage: Page = { id: 'read', title: 'Read', make };
