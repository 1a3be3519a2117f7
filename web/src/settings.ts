/** What the page remembers from visit to visit. */
export interface Settings {
  /** Name of the kept weights file that is in use; empty: the bundled one. */
  readonly weights: string;
  /** Width and height at which images are read, in pixels; 0: what the weights were trained at. */
  readonly imageSize: number;
  /** Probability above which an image or study is called abnormal. */
  readonly threshold: number;
}

const KEY = 'murad';
const DEFAULTS: Settings = { weights: '', imageSize: 0, threshold: 0.5 };

export function readSettings(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export function changeSettings(changes: Partial<Settings>): Settings {
  const settings = { ...readSettings(), ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Without storage the settings last as long as the page.
  }
  return settings;
}
