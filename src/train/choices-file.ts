import { UserError } from '../base/errors.ts';
import { parseObject } from '../base/json.ts';
import type { Choices, WrongVariant } from '../graph/choices.ts';

/** An adapter as far as kernels may compute or time differently on it. */
export interface AdapterIdentity {
  readonly adapter: string;
  /** With its version. */
  readonly driver: string;
}

/** Choices with what they were made for: a choices.json. */
export interface ChoicesFile extends Choices, AdapterIdentity {
  /** Of this library. */
  readonly version: string;
}

export const isOfAdapter = (one: AdapterIdentity, { adapter, driver }: AdapterIdentity): boolean =>
  one.adapter === adapter && one.driver === driver;

export const formatChoices = (choices: ChoicesFile): string => `${JSON.stringify(choices, null, 1)}\n`;

/** The choices that a file holds; throws a UserError where it holds none. */
export function parseChoices(file: string, text: string): ChoicesFile {
  const { adapter, driver, version, choices, wrong } = parseObject(text) ?? {};
  const areNamed = [adapter, driver, version].every((one) => typeof one === 'string');
  if (!areNamed || !isTextByText(choices) || !Array.isArray(wrong) || !wrong.every(isWrongVariant)) {
    throw new UserError(
      `${file} holds no choices of kernels: expected a JSON object with "adapter", "driver", "version", "choices" and "wrong"`,
    );
  }
  return { adapter, driver, version, choices, wrong } as ChoicesFile;
}

const isTextByText = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === 'string');

const isWrongVariant = (value: unknown): value is WrongVariant =>
  isTextByText(value) && ['op', 'variant', 'size', 'fault'].every((name) => name in value);
