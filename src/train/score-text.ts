import { figure } from '../base/figures.ts';
import type { Interval } from './bootstrap.ts';

/** A score with three digits; `-` where it is undefined. */
export const fixed = (value: number | null): string => figure(value, 3);

/** A score with its interval, where there is one: `0.700 (0.640, 0.760)`. */
export const withInterval = (value: number | null, interval: Interval | null | undefined): string =>
  interval ? `${fixed(value)} (${fixed(interval.low)}, ${fixed(interval.high)})` : fixed(value);

/** A region as it is read: `XR_WRIST` is Wrist. */
export function regionTitle(region: string): string {
  const name = region.replace(/^XR_/, '').toLowerCase();
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Seconds of training in a unit that suits them; `-` where they are not known. */
export function trainingTime(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
