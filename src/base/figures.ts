/** A figure of a table: `-` where there is none. */
export const figure = (value: number | null, digits = 1): string => (value === null ? '-' : value.toFixed(digits));

export const percent = (share: number | null, digits = 1): string =>
  share === null ? '-' : `${figure(100 * share, digits)} %`;

export const millions = (count: number): string => `${figure(count / 1e6)} M`;

export const mebibytes = (bytes: number): string => `${figure(bytes / 2 ** 20, 0)} MiB`;
