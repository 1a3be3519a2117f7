import { percent } from '../../../src/base/figures.ts';
import type { App } from '../app.ts';
import type { Reading } from '../engine-api.ts';
import { changeSettings, readSettings } from '../settings.ts';
import { download, h, labelled } from '../ui/dom.ts';
import { type Study, studyJson, studyOf } from './study.ts';

const verdictOf = (probability: number, threshold: number) => (probability > threshold ? 'abnormal' : 'normal');

/** What the network says of a study, and the list of its images. */
export class Results {
  readonly element: HTMLElement;
  readonly #app: App;
  readonly #onShow: (reading: Reading) => void;
  readonly #verdict = h('p', { class: 'verdict', id: 'verdict', role: 'status' });
  readonly #list = h('ol', { class: 'images', id: 'readings' });
  readonly #point = h('input', { type: 'range', id: 'threshold', min: 1, max: 99 });
  readonly #pointText = h('output', { for: 'threshold' });
  #study: Study | undefined;
  #shown = 0;
  #threshold = readSettings().threshold;

  /** `onShow` is told which image is to be shown. */
  constructor(app: App, onShow: (reading: Reading) => void) {
    this.#app = app;
    this.#onShow = onShow;
    this.#point.value = String(Math.round(100 * this.#threshold));
    this.#point.addEventListener('input', () => {
      this.#threshold = Number(this.#point.value) / 100;
      changeSettings({ threshold: this.#threshold });
      this.#render();
    });
    const save = (id: string, text: string, onclick: () => void) => h('button', { type: 'button', id, onclick }, text);
    this.element = h(
      'section',
      { class: 'card', hidden: true, 'aria-labelledby': 'result-title' },
      h('h2', { id: 'result-title' }, 'Result'),
      this.#verdict,
      labelled('Operating point: abnormal above', h('span', { class: 'range' }, this.#point, this.#pointText)),
      this.#list,
      h(
        'p',
        { class: 'buttons' },
        save('save-result', 'Save the result (JSON)', () => this.#saveResult()),
        save('save-overlay', 'Save the overlay (PNG)', () => this.#saveOverlay()),
      ),
    );
  }

  show(readings: readonly Reading[]): void {
    this.#study = studyOf(readings);
    this.element.hidden = false;
    this.#render();
    this.#choose(0);
  }

  clear(): void {
    this.#study = undefined;
    this.element.hidden = true;
    this.#list.replaceChildren();
  }

  /** Chooses the image before or after the one that is shown. */
  step(by: -1 | 1): void {
    this.#choose(this.#shown + by);
  }

  #choose(index: number): void {
    const reading = this.#study?.readings[index];
    if (!reading) return;
    this.#shown = index;
    for (const [position, item] of [...this.#list.children].entries()) {
      item.firstElementChild?.setAttribute('aria-pressed', String(position === index));
    }
    this.#onShow(reading);
  }

  #render(): void {
    this.#pointText.textContent = percent(this.#threshold);
    if (!this.#study) return;
    const { probability, readings } = this.#study;
    const own = verdictOf(probability, this.#threshold);
    const views = readings.length === 1 ? 'one image' : `mean of ${readings.length} images`;
    this.#verdict.className = `verdict ${own}`;
    this.#verdict.replaceChildren(
      h('strong', {}, own === 'abnormal' ? 'Abnormal' : 'Normal'),
      ' ',
      h('data', { value: probability, id: 'probability' }, percent(probability)),
      ` probability of an abnormality, ${views}`,
    );
    this.#list.replaceChildren(...readings.map((reading, index) => this.#row(reading, index)));
    this.#list.dataset.gpuBytes = String(readings.at(-1)?.gpuBytes);
  }

  #row({ name, probability, seconds }: Reading, index: number): HTMLElement {
    const own = verdictOf(probability, this.#threshold);
    const pressed = String(index === this.#shown);
    const onclick = () => this.#choose(index);
    return h(
      'li',
      {},
      h(
        'button',
        { type: 'button', class: `image ${own}`, 'aria-pressed': pressed, onclick },
        h('span', { class: 'name' }, name),
        h('data', { value: probability }, percent(probability)),
        h('span', {}, own),
        h('small', {}, `${(1000 * seconds).toFixed(0)} ms`),
      ),
    );
  }

  #saveResult(): void {
    const { weights } = this.#app;
    if (!this.#study || !weights) return;
    const text = studyJson(this.#study, weights, this.#threshold);
    download('murad-result.json', new Blob([text], { type: 'application/json' }));
  }

  #saveOverlay(): void {
    const reading = this.#study?.readings[this.#shown];
    if (reading) download(`${reading.name.replace(/\.[^.]+$/, '')}-map.png`, reading.overlay);
  }
}
