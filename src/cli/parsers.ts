/** Reads one command-line value; `parse` returns undefined for what does not fit `expects`. */
export interface Parser<T> {
  /** Ends the sentence `--flag expects ...`. */
  readonly expects: string;
  parse(text: string): T | undefined;
}

function wholeBetween(min: number, max: number, expects: string): Parser<number> {
  return {
    expects,
    parse: (text) => (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
  };
}

function numberWhere(holds: (value: number) => boolean, expects: string): Parser<number> {
  const form = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  return { expects, parse: (text) => (form.test(text) && holds(Number(text)) ? Number(text) : undefined) };
}

export const positiveWhole = wholeBetween(1, Number.MAX_SAFE_INTEGER, 'a positive whole number');

export const seed = wholeBetween(0, 2 ** 32 - 1, 'a whole number from 0 to 4294967295');

export const learningRate = numberWhere(
  (value) => value > 0 && Number.isFinite(value),
  'a positive number such as 1e-4',
);

/** 0 is a layer of dropout that drops nothing. */
export const probability = numberWhere((value) => value >= 0 && value < 1, 'a probability of at least 0 and below 1');

export const positive = numberWhere((value) => value > 0 && Number.isFinite(value), 'a positive number');

/** Degrees, 0 to 180. */
export const angle = numberWhere((value) => value >= 0 && value <= 180, 'an angle from 0 to 180 degrees');

export const text: Parser<string> = { expects: 'a name', parse: (given) => given || undefined };

export const path: Parser<string> = { expects: 'a path', parse: (given) => given || undefined };

export const webAddress: Parser<string> = {
  expects: 'an address that begins with http:// or https://',
  parse: (given) => (/^https?:\/\//.test(given) && URL.canParse(given) ? given : undefined),
};

/** One of the words. */
export function choice<const W extends string>(...words: W[]): Parser<W> {
  return { expects: words.join(' or '), parse: (given) => words.find((word) => word === given) };
}

/** Some of the words, separated by commas, or all of them. */
export function someOf<const W extends string>(words: readonly W[]): Parser<readonly W[]> {
  return {
    expects: `all, or some of ${words.join(', ')} separated by commas`,
    parse: (given) => {
      if (given === 'all') return words;
      const named = given.split(',').map((part) => words.find((word) => word === part.trim()));
      return named.every((word) => word !== undefined) ? named : undefined;
    },
  };
}

/** What the first parser takes, else what the second takes. */
export function either<A, B>(first: Parser<A>, second: Parser<B>): Parser<A | B> {
  return {
    expects: `${first.expects} or ${second.expects}`,
    parse: (given) => first.parse(given) ?? second.parse(given),
  };
}
