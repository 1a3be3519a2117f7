import { UserError } from '../base/errors.ts';
import { formatShape, type TensorType } from '../base/shape.ts';
import type { OpDefinition, Signature, Variant } from '../kernels/definition.ts';

/** A variant that computed something else than its op's reference, or did not run. */
export interface WrongVariant {
  readonly op: string;
  readonly variant: string;
  /** The size at which it was seen, as a key of `choices`. */
  readonly size: string;
  /** What was seen first. */
  readonly fault: string;
}

/** Which variants a plan takes on an adapter. */
export interface Choices {
  /** Names of variants by `sizeKey`; at any other size the first that fits is taken. */
  readonly choices: Readonly<Record<string, string>>;
  /** Taken at no size. */
  readonly wrong: readonly WrongVariant[];
}

export const NO_CHOICES: Choices = { choices: {}, wrong: [] };

/** An op with what its variants are fit for and how fast they are: its shapes and attributes. */
export interface SizedOp {
  readonly op: OpDefinition;
  readonly inputs: readonly (TensorType | undefined)[];
  readonly attributes: unknown;
}

/** Op, shapes (those of f16 end in h) and attributes as one text: the same in every run. */
export function sizeKey({ op, inputs, attributes }: SizedOp): string {
  const shapes = inputs
    .map((type) => (type ? formatShape(type.shape) + (type.dtype === 'f16' ? 'h' : '') : '-'))
    .join(' ');
  return `${op.name} ${shapes} ${JSON.stringify(attributes)}`;
}

/** An op's variants that fit, in its own order. */
export const variantsThatFit = (op: OpDefinition, signature: Signature<unknown>): Variant<unknown>[] =>
  op.variants.filter((variant) => variant.fits(signature));

/** Those of them that are not known to be wrong. */
export const rightVariants = (
  op: OpDefinition,
  signature: Signature<unknown>,
  wrong: readonly WrongVariant[],
): Variant<unknown>[] => variantsThatFit(op, signature).filter(({ name }) => !isWrong(wrong, op.name, name));

/** A variant that is taken, and what else there was. */
export interface Chosen {
  readonly variant: Variant<unknown>;
  readonly key: string;
  /** Whether there was more than one to choose from. */
  readonly hadChoice: boolean;
  /** The variant that was chosen for this size but is not among those that fit. */
  readonly misfit: string | undefined;
}

/**
 * The variant that `choices` names for the op at this size, or else the first that fits and is not known to be wrong.
 * Throws a UserError where all that fit are wrong; undefined where none fits.
 */
export function chooseVariant(op: OpDefinition, signature: Signature<unknown>, choices: Choices): Chosen | undefined {
  const fitting = variantsThatFit(op, signature);
  if (fitting.length === 0) return undefined;
  const right = rightVariants(op, signature, choices.wrong);
  const key = sizeKey({ op, ...signature });
  const wanted = choices.choices[key];
  const variant = right.find(({ name }) => name === wanted) ?? right[0];
  if (!variant) {
    const names = fitting.map(({ name }) => name).join(', ');
    throw new UserError(
      `${op.name} is computed wrong on this adapter by all that fit (${names}): update its driver or use another --adapter`,
    );
  }
  return {
    variant,
    key,
    hadChoice: fitting.length > 1,
    misfit: wanted === undefined || wanted === variant.name ? undefined : wanted,
  };
}

/** Whether a variant was found wrong at any size. */
export const isWrong = (wrong: readonly WrongVariant[], op: string, variant: string): boolean =>
  wrong.some((one) => one.op === op && one.variant === variant);
