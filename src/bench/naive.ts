import { required } from '../base/errors.ts';
import { ceilDivide, elementCount, type Shape } from '../base/shape.ts';
import { conv2d, conv2dDataGradient, conv2dWeightGradient } from '../kernels/conv2d/index.ts';
import type { LaunchContext, OpDefinition, Operand, Variant } from '../kernels/definition.ts';
import { spread } from '../kernels/launch.ts';
import type { KernelResult } from './kernels.ts';

/** What the three directions of a convolution have in common. */
// biome-ignore lint/suspicious/noExplicitAny: each direction has attributes of its own type
type Context = LaunchContext<any>;

/** The shapes and operands of one direction, by the shader's names. */
interface Direction {
  readonly entry: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly bindings: Readonly<Record<string, Operand>>;
}

const LANES = 64;

const directions: ReadonlyMap<OpDefinition, (inputs: readonly Operand[], result: Operand) => Direction> = new Map([
  [
    conv2d,
    ([x, w]: readonly Operand[], y: Operand) => ({
      entry: 'forward',
      ...shapesOf({ x, w, y }),
      bindings: bound({ x, w }),
    }),
  ],
  [
    conv2dDataGradient,
    ([y, w]: readonly Operand[], x: Operand) => ({
      entry: 'data_gradient',
      ...shapesOf({ x, w, y }),
      bindings: bound({ dy: y, w }),
    }),
  ],
  [
    conv2dWeightGradient,
    ([x, y]: readonly Operand[], w: Operand) => ({
      entry: 'weight_gradient',
      ...shapesOf({ x, w, y }),
      bindings: bound({ x, dy: y }),
    }),
  ],
]);

type Given = Operand | undefined;

const shapesOf = ({ x, w, y }: { x: Given; w: Given; y: Given }) => ({
  x: required(x, 'x').shape,
  w: required(w, 'weight').shape,
  y: required(y, 'y').shape,
});

const bound = (operands: Readonly<Record<string, Given>>): Record<string, Operand> =>
  Object.fromEntries(Object.entries(operands).map(([name, operand]) => [name, required(operand, name)]));

/**
 * The naive kernel (bench/naive/conv2d_naive.wgsl: one thread per result, coalesced over channels) as a variant of a grouped
 * convolution's op; none for other ops, and none where something is fused into the op.
 */
export const naiveVariants = (op: OpDefinition): readonly Variant<unknown>[] => {
  const direction = directions.get(op);
  if (!direction) return [];
  return [
    {
      name: 'naive',
      fits: ({ inputs, attributes }) =>
        (attributes as { groups: number }).groups > 1 && inputs.slice(2).every((input) => input === undefined),
      launches: ({ inputs, outputs, attributes }: Context) => {
        const result = required(outputs[0], 'result');
        const { entry, x, w, y, bindings } = direction(inputs as Operand[], result);
        const { groups, stride, padding } = attributes;
        return [
          {
            shader: '../bench/naive/conv2d_naive.wgsl',
            entry,
            bindings: { ...bindings, result },
            uniforms: {
              ...{ images: x[0] as number, height: x[1] as number, width: x[2] as number, inChannels: x[3] as number },
              ...{ outHeight: y[1] as number, outWidth: y[2] as number, outChannels: y[3] as number },
              ...{ kernelHeight: w[0] as number, kernelWidth: w[1] as number, groups },
              ...{ strideY: stride[0], strideX: stride[1], padY: padding[0], padX: padding[1] },
            },
            workgroups: [...spread(ceilDivide(elementCount(result.shape), LANES)), 1],
          },
        ];
      },
    },
  ];
};

/** How many times faster the variant that a plan takes is than the naive one, at one size or in all. */
export interface Speedup {
  readonly op: string;
  /** Absent: the sum over all sizes. */
  readonly name?: string;
  readonly naive_ms: number;
  readonly used_ms: number;
  readonly ratio: number;
}

/** Each size that has a naive variant, and the sum of each op's. */
export function speedups(results: readonly KernelResult[]): Speedup[] {
  const rows = results.flatMap((naive): Speedup[] => {
    const used = results.find((one) => one.case === naive.case && one.used);
    if (naive.variant !== 'naive' || !used) return [];
    const [naive_ms, used_ms] = [naive.median_ms, used.median_ms];
    return [{ op: naive.op, name: naive.name, naive_ms, used_ms, ratio: naive_ms / used_ms }];
  });
  const sums = [...new Set(rows.map(({ op }) => op))].map((op): Speedup => {
    const sum = (key: 'naive_ms' | 'used_ms') =>
      rows.filter((row) => row.op === op).reduce((total, row) => total + row[key], 0);
    return { op, naive_ms: sum('naive_ms'), used_ms: sum('used_ms'), ratio: sum('naive_ms') / sum('used_ms') };
  });
  return [...rows, ...sums];
}
