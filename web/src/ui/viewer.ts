import type { Reading } from '../engine-api.ts';
import { h } from './dom.ts';
import { Zoom } from './zoom.ts';

const HELP =
  'Keys: plus and minus zoom, arrows move, 0 shows the whole image, O hides and shows the map, [ and ] go to other images';

const picture = (kind: string) => h('img', { alt: '', class: kind, draggable: 'false' });

/** Shows one image with its map laid over it. */
export class Viewer {
  readonly element: HTMLElement;
  readonly #original = picture('original');
  readonly #overlay = picture('overlay');
  readonly #content = h('div', { class: 'content' }, this.#original, this.#overlay);
  readonly #stage = h(
    'div',
    { class: 'stage', tabindex: 0, role: 'group', 'aria-label': 'Radiograph', title: HELP },
    this.#content,
  );
  readonly #zoom = new Zoom(this.#stage, this.#content);
  readonly #shown = h('input', { type: 'checkbox', id: 'show-map', checked: true });
  readonly #opacity = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    value: 100,
    id: 'opacity',
    'aria-label': 'Opacity of the heat map',
  });
  readonly #addresses: string[] = [];

  /** `onStep` is told -1 or 1 where the keys ask for the image before or after. */
  constructor(onStep: (by: -1 | 1) => void) {
    const button = (text: string, name: string, onclick: () => void) =>
      h('button', { type: 'button', 'aria-label': name, title: name, onclick }, text);
    const tools = h(
      'div',
      { class: 'tools', role: 'toolbar', 'aria-label': 'View' },
      h('label', { class: 'check' }, this.#shown, 'Heat map'),
      this.#opacity,
      button('+', 'Zoom in', () => this.#zoom.in()),
      button('−', 'Zoom out', () => this.#zoom.out()),
      button('Fit', 'Fit the whole image', () => this.#zoom.reset()),
    );
    const help = h('figcaption', { class: 'keys' }, HELP);
    this.element = h('figure', { class: 'viewer', hidden: true }, this.#stage, tools, help);
    for (const control of [this.#shown, this.#opacity]) control.addEventListener('input', () => this.#blend());
    this.#listenToKeys(onStep);
  }

  show({ name, width, height, byGradient, original, overlay }: Reading): void {
    this.clear();
    this.element.hidden = false;
    this.#original.src = this.#addressOf(original);
    this.#overlay.src = this.#addressOf(overlay);
    this.#original.alt = name;
    this.#overlay.alt = `${byGradient ? 'Grad-CAM' : 'Class activation map'} of ${name}`;
    this.#content.style.aspectRatio = `${width} / ${height}`;
    this.#stage.style.setProperty('--ratio', String(width / height));
    this.#zoom.reset();
    this.#blend();
  }

  clear(): void {
    for (const address of this.#addresses.splice(0)) URL.revokeObjectURL(address);
    for (const image of [this.#original, this.#overlay]) image.removeAttribute('src');
    this.element.hidden = true;
  }

  #addressOf(file: Blob): string {
    const address = URL.createObjectURL(file);
    this.#addresses.push(address);
    return address;
  }

  #blend(): void {
    const isShown = this.#shown.checked;
    this.#overlay.style.opacity = String(isShown ? Number(this.#opacity.value) / 100 : 0);
    this.#opacity.disabled = !isShown;
  }

  #listenToKeys(onStep: (by: -1 | 1) => void): void {
    const keys: Record<string, () => void> = {
      o: () => this.#shown.click(),
      O: () => this.#shown.click(),
      '[': () => onStep(-1),
      ']': () => onStep(1),
    };
    this.#stage.addEventListener('keydown', (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }
}
