import { transfer } from 'comlink';
import bundled from '../../../weights/densenet121-phantom-160px.safetensors?url';
import type { App } from '../app.ts';
import type { WeightsReport } from '../engine-api.ts';
import { changeSettings, readSettings } from '../settings.ts';
import { h, labelled, messageOf, select } from '../ui/dom.ts';
import { weightsStore } from '../weights-store.ts';

const BUNDLED = 'densenet121-phantom-160px.safetensors';
const NONE = 'No weights are loaded.';
const SIZES = [64, 96, 128, 160, 224, 256, 320, 448] as const;

/** The bundled weights where `name` is empty, else a file that is kept in this browser. */
async function bytesOf(name: string): Promise<Uint8Array> {
  if (name !== '') return weightsStore.read(name);
  const response = await fetch(bundled);
  if (!response.ok) throw new Error(`the bundled weights could not be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

function sentence({ title, imageSize, notes }: WeightsReport, name: string): string {
  const origin = name === '' ? 'trained on synthetic phantoms' : 'your own file, kept in this browser';
  return [`${title}, reads at ${imageSize} px; ${origin}.`, ...notes].join(' ');
}

/** Chooses weights and the size that images are read at. */
export class WeightsPanel {
  readonly element: HTMLElement;
  readonly #app: App;
  readonly #onChange: (weights: WeightsReport) => void;
  readonly #choice = select([['', 'Bundled demo weights (phantoms)']], '', { id: 'weights' });
  readonly #size = select([['0', 'as trained'], ...SIZES.map((px) => [String(px), `${px} px`] as const)], '0', {
    id: 'image-size',
  });
  readonly #file = h('input', {
    type: 'file',
    id: 'own-weights',
    accept: '.safetensors,.pth,.pt',
    class: 'visually-hidden',
  });
  readonly #remove = h('button', { type: 'button', id: 'remove-weights', hidden: true }, 'Remove from this browser');
  readonly #facts = h('p', { class: 'facts', id: 'weights-facts' }, 'Loading the weights ...');
  #loading: Promise<WeightsReport>;

  /** `onChange`: other weights, or another size, are in use. */
  constructor(app: App, onChange: (weights: WeightsReport) => void) {
    this.#app = app;
    this.#onChange = onChange;
    for (const control of [this.#choice, this.#size]) {
      control.addEventListener('change', () => this.#use(this.#choice.value));
    }
    this.#file.addEventListener('change', () => this.#open());
    this.#remove.addEventListener('click', () => this.#forget());
    this.element = h(
      'section',
      { class: 'card network', 'aria-labelledby': 'weights-title' },
      h('h2', { id: 'weights-title' }, 'Network'),
      labelled('Weights', this.#choice),
      h(
        'p',
        { class: 'buttons' },
        h('label', { class: 'button', for: 'own-weights' }, 'Open your own .safetensors or .pth ...'),
        this.#file,
        this.#remove,
      ),
      labelled('Image size', this.#size),
      this.#facts,
    );
    this.#loading = this.#first();
    this.#loading.then(onChange, (error: unknown) => {
      this.#facts.textContent = NONE;
      app.notice(messageOf(error), 'error');
    });
  }

  /** Resolves when the weights that were chosen last are in use; rejects where none could be loaded. */
  ready(): Promise<WeightsReport> {
    return this.#loading;
  }

  /** What was in use at the last visit, or the bundled weights where that is gone. */
  async #first(): Promise<WeightsReport> {
    await this.#list();
    const { weights, imageSize } = readSettings();
    this.#size.value = String(imageSize);
    try {
      return await this.#load(weights);
    } catch (error) {
      if (weights === '' && imageSize === 0) throw error;
      const lost = `${weights || 'The bundled weights'}: ${messageOf(error)}`;
      this.#app.notice(`${lost}; the bundled weights are in use.`, 'error');
      this.#size.value = '0';
      return this.#load('');
    }
  }

  async #list(): Promise<void> {
    const names = await weightsStore.list().catch(() => []);
    const own = names.map((name) => h('option', { value: name }, name));
    this.#choice.replaceChildren(this.#choice.options[0] as HTMLOptionElement, ...own);
  }

  async #load(name: string, given?: Uint8Array): Promise<WeightsReport> {
    const bytes = given ?? (await bytesOf(name));
    const imageSize = Number(this.#size.value);
    const asked = { file: name || BUNDLED, bytes, ...(imageSize ? { imageSize } : {}) };
    this.#facts.textContent = 'Compiling the kernels ...';
    const report = await this.#app.engine.useWeights(transfer(asked, [bytes.buffer as ArrayBuffer]));
    this.#app.weights = report;
    changeSettings({ weights: name, imageSize });
    this.#choice.value = name;
    this.#remove.hidden = name === '';
    this.#facts.textContent = sentence(report, name);
    return report;
  }

  /** Whether the weights were taken; where they are refused, what was in use before stays. */
  async #use(name: string, given?: Uint8Array): Promise<boolean> {
    this.#app.notice('');
    const before = this.#loading;
    const attempt = this.#load(name, given);
    this.#loading = attempt.catch(() => before);
    this.#loading.catch(() => undefined);
    try {
      await attempt;
    } catch (error) {
      this.#app.notice(messageOf(error), 'error');
      const kept = await before.catch(() => undefined);
      const { weights, imageSize } = readSettings();
      this.#choice.value = weights;
      this.#size.value = String(imageSize);
      this.#facts.textContent = kept ? sentence(kept, weights) : NONE;
      return false;
    }
    this.#onChange(await attempt);
    return true;
  }

  /** Takes a file of the person's own into use and keeps it. */
  async #open(): Promise<void> {
    const [own] = this.#file.files ?? [];
    if (!own) return;
    this.#file.value = '';
    try {
      const bytes = new Uint8Array(await own.arrayBuffer());
      const name = await weightsStore.nameFor(own.name, bytes).catch(() => own.name);
      // The engine takes the bytes that it is given away from the page.
      if (await this.#use(name, bytes.slice())) await this.#keep(name, bytes);
    } catch (error) {
      this.#app.notice(`${own.name} cannot be read: ${messageOf(error)}`, 'error');
    }
  }

  async #keep(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await weightsStore.keep(name, bytes);
      await this.#list();
      this.#choice.value = name;
    } catch (error) {
      const fault = `${name} is in use but cannot be kept for the next visit: ${messageOf(error)}`;
      this.#app.notice(fault, 'error');
    }
  }

  async #forget(): Promise<void> {
    const { weights } = readSettings();
    if (!(await this.#use(''))) return;
    await weightsStore.remove(weights).catch((error: unknown) => this.#app.notice(messageOf(error), 'error'));
    await this.#list();
    this.#choice.value = '';
  }
}
