import type { Remote } from 'comlink';
import type { AdapterReport, Engine, WeightsReport } from './engine-api.ts';

/** What every page of the app shares. */
export interface App {
  readonly engine: Remote<Engine>;
  readonly adapter: AdapterReport;
  /** Shows a line above the page; an empty one clears it. */
  notice(text: string, kind?: 'information' | 'error'): void;
  /** The weights in use; undefined until they are loaded. */
  weights: WeightsReport | undefined;
}

/** A page: made once, shown and hidden. */
export interface Page {
  readonly id: string;
  readonly title: string;
  make(app: App): HTMLElement;
}
