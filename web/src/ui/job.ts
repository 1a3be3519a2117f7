import type { App } from '../app.ts';
import { h, messageOf } from './dom.ts';
import { type ProgressBar, progressBar } from './progress.ts';

/** A start and a stop button with a bar between them, for what the engine does for a while. */
export interface Job {
  readonly start: HTMLButtonElement;
  readonly stop: HTMLButtonElement;
  readonly bar: ProgressBar;
  /** Runs a task with the start button off and the stop button there; shows why it fails. True where it ended well. */
  run(task: () => Promise<void>): Promise<boolean>;
}

export function makeJob({ engine, notice }: App, id: string, text: string): Job {
  const start = h('button', { type: 'button', class: 'primary', id: `${id}-start` }, text);
  const stop = h('button', { type: 'button', id: `${id}-stop`, hidden: true }, 'Stop');
  const bar = progressBar(text);
  stop.addEventListener('click', () => void engine.stop());
  const run = async (task: () => Promise<void>) => {
    notice('');
    start.disabled = true;
    stop.hidden = false;
    try {
      await task();
      return true;
    } catch (error) {
      notice(messageOf(error), 'error');
      return false;
    } finally {
      bar.hide();
      start.disabled = false;
      stop.hidden = true;
    }
  };
  return { start, stop, bar, run };
}
