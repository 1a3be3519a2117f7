import { rowsOf, type Shape, type TensorType } from '../../base/shape.ts';
import type { Activation } from '../activation.ts';
import { affineMap, given, grid, normal, positivePair } from '../draw.ts';
import type { Case, Emit, OpCases } from '../reference.ts';
import { type BatchNormAttributes, batchNormApply, batchNormDataGradient, batchNormWeightGradient } from './apply.ts';
import {
  batchNormApplyReference,
  batchNormCoefficientsReference,
  batchNormCorrectionReference,
  batchNormDataGradientReference,
  batchNormFoldReference,
  batchNormMergeMomentsReference,
  batchNormMomentsReference,
  batchNormWeightGradientReference,
} from './batch-norm.reference.ts';
import { batchNormCoefficients, batchNormCorrection } from './correction.ts';
import { batchNormMergeMoments } from './merge-moments.ts';
import { batchNormFold, batchNormMoments } from './statistics.ts';

const shapes: Readonly<Record<string, Shape>> = {
  '1 channel': [1, 1, 2, 1],
  '3 channels': [2, 3, 5, 3],
  '5 channels, more rows than a chunk': [3, 13, 11, 5],
  '4 channels': [2, 5, 4, 4],
  '32 channels': [1, 4, 5, 32],
  '36 channels': [2, 7, 3, 36],
  '8 channels, more chunks than a GPU merges one after the other': [1, 37, 29, 8],
};

const activations: readonly Activation[] = ['none', 'relu', 'relu6'];
const fold = { epsilon: 1e-5, momentum: 0.1 };

const everyShape = <A>(build: (name: string, shape: Shape, activation: Activation) => Case<A>[]): Case<A>[] =>
  Object.entries(shapes).flatMap(([name, shape], index) =>
    build(name, shape, activations[index % activations.length] as Activation),
  );

const channels = (shape: Shape): number => shape[3] as number;

/** gamma and beta: the gradient of a ReLU's kink is not compared, and gamma is not near 0. */
const weights = (name: string, count: number) =>
  given(
    [2, count],
    [...positivePair(`${name}.gamma`, count).values.slice(count), ...normal(`${name}.beta`, [count]).values],
  );

/** The whole normalisation, whose gradient is that of batch_norm_apply: x, weight and running -> z. */
function whole(name: string, shape: Shape, attributes: BatchNormAttributes, mean = 0): Case<BatchNormAttributes> {
  const count = rowsOf(shape);
  return {
    name,
    inputs: [
      normal(`${name}.x`, shape, { mean }),
      weights(name, channels(shape)),
      positivePair(`${name}.running`, channels(shape)),
    ],
    attributes,
    differentiate: [0, 1],
    trace<S extends TensorType>(emit: Emit<S>, [x, weight, running]: readonly S[]): S[] {
      const moments = attributes.training ? emit(batchNormMoments, [x], {})[0] : undefined;
      const [affine] = emit(batchNormFold, [weight, running, moments], { ...fold, count });
      return emit(batchNormApply, [x, weight, affine], attributes);
    },
  };
}

const applyCases: Case<BatchNormAttributes>[] = [
  ...everyShape((name, shape, activation) => [
    {
      name: `${name}, ${activation}`,
      inputs: [grid(`${name}.x`, shape), weights(name, channels(shape)), affineMap(name, channels(shape))],
      attributes: { training: false, activation },
    },
    {
      name: `${name}, added to a tensor, ${activation}`,
      inputs: [
        grid(`${name}.x`, shape),
        weights(name, channels(shape)),
        affineMap(name, channels(shape)),
        normal(`${name}.residual`, shape),
      ],
      attributes: { training: false, activation },
    },
  ]),
  ...everyShape((name, shape, activation) =>
    [true, false].map((training) =>
      whole(`${name}, ${activation}, statistics of ${training ? 'the batch' : 'before'}`, shape, {
        training,
        activation,
      }),
    ),
  ),
];

const gradientCases: Case<BatchNormAttributes>[] = everyShape((name, shape) =>
  activations.map((activation) => ({
    name: `${name}, ${activation}`,
    inputs: [normal(`${name}.dz`, shape), grid(`${name}.x`, shape), affineMap(name, channels(shape))],
    attributes: { training: true, activation },
  })),
);

const dataGradientCases: Case<BatchNormAttributes>[] = gradientCases.flatMap(({ name, inputs, attributes }, index) => {
  const shape = inputs[0]?.shape ?? [];
  const dweight = normal(`${name}.dweight`, [2, channels(shape)]);
  return [
    { name, inputs: [...inputs, dweight, undefined], attributes: { ...attributes, training: index % 2 === 0 } },
    {
      name: `${name}, a range of a batch`,
      inputs: [...inputs, dweight, undefined],
      attributes: { ...attributes, count: 1000 },
    },
    { name: `${name}, added to a tensor`, inputs: [...inputs, dweight, normal(`${name}.into`, shape)], attributes },
  ];
});

export const batchNormCases: readonly OpCases[] = [
  {
    op: batchNormMoments,
    reference: batchNormMomentsReference,
    maps: [0],
    cases: [
      ...everyShape((name, shape) => [{ name, inputs: [normal(`${name}.x`, shape)], attributes: {} }]),
      ...everyShape((name, shape) => [
        {
          name: `${name}, mean 1000 sigma`,
          inputs: [normal(`${name}.far`, shape, { mean: 1000 })],
          attributes: {},
        },
      ]),
      {
        name: 'constant channels: variance 0',
        inputs: [grid('constant', [2, 9, 5, 4], { step: 1, reach: 0, offset: 3 })],
        attributes: {},
      },
    ],
  },
  {
    op: batchNormMergeMoments,
    reference: batchNormMergeMomentsReference,
    maps: [0, 1],
    cases: everyShape((name, shape) =>
      [0.5, 1 / 3, 0].map((share) => {
        const moments = (range: string) =>
          given([1, 1, 2, channels(shape)], [...positivePair(`${name}.${range}`, channels(shape)).values]);
        return {
          name: `${name}, share ${share.toFixed(2)}`,
          inputs: [moments('a'), moments('b')],
          attributes: { share },
        };
      }),
    ),
  },
  {
    op: batchNormFold,
    reference: batchNormFoldReference,
    maps: [],
    cases: everyShape((name, shape) => {
      const [weight, running] = [weights(name, channels(shape)), positivePair(`${name}.running`, channels(shape))];
      const { values } = positivePair(`${name}.moments`, channels(shape));
      const moments = given([1, 1, 2, channels(shape)], [...values]);
      const attributes = { ...fold, count: rowsOf(shape) };
      return [
        { name: `${name}, of the batch`, inputs: [weight, running, moments], attributes },
        { name: `${name}, running`, inputs: [weight, running, undefined], attributes },
      ];
    }),
  },
  { op: batchNormApply, reference: batchNormApplyReference, maps: [0, 3], cases: applyCases },
  {
    op: batchNormCoefficients,
    reference: batchNormCoefficientsReference,
    maps: [1, 2],
    cases: everyShape((name, shape) => {
      const inputs = [normal(`${name}.dweight`, [2, channels(shape)]), affineMap(name, channels(shape))];
      const into = normal(`${name}.coefficients`, [1, 1, 2, channels(shape)]);
      const attributes = { count: rowsOf(shape) };
      return [
        { name, inputs: [...inputs, undefined], attributes },
        { name: `${name}, added to others`, inputs: [...inputs, into], attributes },
      ];
    }),
  },
  {
    op: batchNormCorrection,
    reference: batchNormCorrectionReference,
    maps: [0, 1, 2, 3],
    cases: everyShape((name, shape) => [
      {
        name,
        inputs: [
          normal(`${name}.gradient`, shape),
          normal(`${name}.x`, shape),
          affineMap(name, channels(shape)),
          normal(`${name}.coefficients`, [1, 1, 2, channels(shape)]),
        ],
        attributes: {},
      },
    ]),
  },
  { op: batchNormWeightGradient, reference: batchNormWeightGradientReference, maps: [0, 1], cases: gradientCases },
  { op: batchNormDataGradient, reference: batchNormDataGradientReference, maps: [0, 1, 4], cases: dataGradientCases },
];
