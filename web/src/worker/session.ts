import { openBrowserDevice } from '../../../src/gpu/browser.ts';
import type { BrowserAdapter } from '../../../src/gpu/browser-adapter.ts';
import type { Device } from '../../../src/gpu/device.ts';
import { loadShader } from './shaders.ts';

/** A device that is open, until it is lost. */
export interface Opened {
  readonly device: Device;
  readonly adapter: BrowserAdapter;
}

/** A browser that restarts its GPU process has no adapter for a moment. */
const REOPEN = { tries: 5, waitMs: 500 };

const wait = (ms: number) => new Promise<undefined>((resolve) => setTimeout(resolve, ms));

/** The page's device: opened when it is first needed, and anew after it was lost. */
export class Session {
  readonly #onLost: (message: string) => void;
  #opened: Promise<Opened> | undefined;
  #losses = 0;

  constructor(onLost: (message: string) => void) {
    this.#onLost = onLost;
  }

  open(): Promise<Opened> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Runs a task; where the device is lost meanwhile, once more on a new one. */
  async run<T>(task: (opened: Opened) => Promise<T>): Promise<T> {
    const opened = await this.open();
    try {
      return await task(opened);
    } catch (error) {
      if (!(await opened.device.isLost())) throw error;
      return task(await this.open());
    }
  }

  async #open(): Promise<Opened> {
    const tries = this.#losses > 0 ? REOPEN.tries : 1;
    for (let left = tries - 1; ; left--) {
      try {
        const { device, adapter } = await openBrowserDevice(loadShader);
        device.gpu.lost.then(({ message }) => {
          this.#losses++;
          this.#opened = undefined;
          this.#onLost(message);
        });
        return { device, adapter };
      } catch (error) {
        if (left === 0) throw error;
        await wait(REOPEN.waitMs);
      }
    }
  }
}
