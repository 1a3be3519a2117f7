import type { Progress } from '../engine-api.ts';
import { h } from './dom.ts';

/** A bar with a line that says what is being done. */
export interface ProgressBar {
  readonly element: HTMLElement;
  show(progress: Progress): void;
  hide(): void;
}

export function progressBar(label: string): ProgressBar {
  const bar = h('progress', { 'aria-label': label });
  const text = h('span', {});
  const element = h('div', { class: 'progress', hidden: true }, bar, text);
  return {
    element,
    show({ done, total, what }) {
      element.hidden = false;
      if (total > 0) {
        bar.max = total;
        bar.value = done;
      } else bar.removeAttribute('value');
      text.textContent = total > 0 ? `${done} of ${total}: ${what}` : what;
    },
    hide() {
      element.hidden = true;
    },
  };
}
