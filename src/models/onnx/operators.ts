import { InternalError, required } from '../../base/errors.ts';
import type { Node } from '../../graph/graph.ts';
import type { Activation } from '../../kernels/activation.ts';
import { type BatchNormAttributes, batchNormApply } from '../../kernels/batch-norm/apply.ts';
import { type BatchNormFoldAttributes, batchNormFold } from '../../kernels/batch-norm/statistics.ts';
import { concat } from '../../kernels/concat.ts';
import type { Conv2dAttributes } from '../../kernels/conv2d/geometry.ts';
import { conv2d } from '../../kernels/conv2d/index.ts';
import type { OpDefinition } from '../../kernels/definition.ts';
import { type ActivationAttributes, activate, add } from '../../kernels/elementwise.ts';
import { type AdaptiveAvgPool2dAttributes, adaptiveAvgPool2d } from '../../kernels/pool2d/adaptive-avg-pool2d.ts';
import { type AvgPool2dAttributes, avgPool2d } from '../../kernels/pool2d/avg-pool2d.ts';
import { globalAvgPool2d, maxPool2d } from '../../kernels/pool2d/index.ts';
import type { Pool2dAttributes } from '../../kernels/pool2d/window.ts';
import type { OnnxBuilder } from './builder.ts';

/** Appends what a node computes, on NCHW maps, and returns the value of its first output, where it has one of its own. */
type Translate = (builder: OnnxBuilder, node: Node) => string | undefined;

/** The same padding at both ends, as ONNX lists it: top, left, bottom, right. */
const pads = ([vertical, horizontal]: readonly [number, number]) => [vertical, horizontal, vertical, horizontal];

const activations: Readonly<Record<Activation, (builder: OnnxBuilder, scope: string, value: string) => string>> = {
  none: (_builder, _scope, value) => value,
  relu: (builder, scope, value) => builder.emit(scope, 'Relu', [value]),
  relu6: (builder, scope, value) =>
    builder.emit(scope, 'Clip', [
      value,
      builder.initializer('relu6.min', [], Float32Array.of(0)),
      builder.initializer('relu6.max', [], Float32Array.of(6)),
    ]),
};

/** A layer whose weight is a matrix in the state_dict is Gemm, on its input flattened; else Conv. */
const translateConv2d: Translate = (builder, { inputs, attributes, scope }) => {
  const { stride, padding, groups } = attributes as Conv2dAttributes;
  const x = required(inputs[0], 'conv2d: x');
  const [, weight, bias] = inputs;
  const { spec } = builder.state(weight);
  const isLinear = spec.entries.every(({ layout }) => layout.kind === 'linear');
  const operands = [builder.weight(weight, x, groups, isLinear), ...(bias ? [builder.vector(bias)] : [])];
  if (isLinear) {
    const flat = builder.emit(scope, 'Flatten', [builder.value(x)], { axis: 1 });
    return builder.emit(scope, 'Gemm', [flat, ...operands], { transB: 1 });
  }
  return builder.emit(scope, 'Conv', [builder.value(x), ...operands], {
    kernel_shape: spec.shape.slice(0, 2),
    strides: stride,
    pads: pads(padding),
    group: groups,
  });
};

/** The fold that the affine map comes from knows the parameters and the running statistics. */
const translateBatchNorm: Translate = (builder, { inputs: [x, , affine], attributes, scope }) => {
  const fold = required(affine?.producer, 'batch_norm_apply: the fold');
  const { epsilon } = fold.attributes as BatchNormFoldAttributes;
  const [weight, running] = fold.inputs;
  const operands = [builder.value(x), ...builder.rows(weight), ...builder.rows(running)];
  const normalised = builder.emit(scope, 'BatchNormalization', operands, { epsilon: { float: epsilon } });
  return activations[(attributes as BatchNormAttributes).activation](builder, scope, normalised);
};

const poolAttributes = ({ kernel, stride, padding }: Pool2dAttributes) => ({
  kernel_shape: kernel,
  strides: stride,
  pads: pads(padding),
});

/** [size, length]: each row averages the window of its place, from floor(i length / size) to ceil((i + 1) length / size). */
function windowMeans(size: number, length: number): Float32Array {
  const matrix = new Float32Array(size * length);
  for (let row = 0; row < size; row++) {
    const start = Math.floor((row * length) / size);
    const end = Math.ceil(((row + 1) * length) / size);
    matrix.fill(1 / (end - start), row * length + start, row * length + end);
  }
  return matrix;
}

/** ONNX has no adaptive pooling; its windows are rows times columns, so that a matrix on either side averages them. */
const translateAdaptiveAvgPool2d: Translate = (builder, { inputs: [x], attributes, scope }) => {
  const { size } = attributes as AdaptiveAvgPool2dAttributes;
  const [, height = 1, width = 1] = required(x, 'adaptive_avg_pool2d: x').shape;
  const rows = builder.initializer(`${scope}.rows`, [size, height], windowMeans(size, height));
  const means = windowMeans(size, width);
  const transposed = means.map((_, index) => means[(index % size) * width + Math.floor(index / size)] as number);
  const columns = builder.initializer(`${scope}.columns`, [width, size], transposed);
  return builder.emit(scope, 'MatMul', [builder.emit(scope, 'MatMul', [rows, builder.value(x)]), columns]);
};

/** How each op of a network in evaluation mode is written in ONNX; batch_norm_apply speaks for its fold. */
export const operators: ReadonlyMap<OpDefinition, Translate> = new Map<OpDefinition, Translate>([
  [conv2d, translateConv2d],
  [batchNormFold, () => undefined],
  [batchNormApply, translateBatchNorm],
  [
    activate,
    (builder, { inputs: [x], attributes, scope }) =>
      activations[(attributes as ActivationAttributes).activation](builder, scope, builder.value(x)),
  ],
  [add, (builder, { inputs: [a, b], scope }) => builder.emit(scope, 'Add', [builder.value(a), builder.value(b)])],
  [
    concat,
    (builder, { inputs, scope }) => {
      const parts = inputs.map((part) => builder.value(part));
      return builder.emit(scope, 'Concat', parts, { axis: 1 });
    },
  ],
  [
    maxPool2d,
    (builder, { inputs: [x], attributes, scope }) =>
      builder.emit(scope, 'MaxPool', [builder.value(x)], poolAttributes(attributes)),
  ],
  [
    avgPool2d,
    (builder, { inputs: [x], attributes, scope }) =>
      builder.emit(scope, 'AveragePool', [builder.value(x)], {
        ...poolAttributes(attributes),
        count_include_pad: (attributes as AvgPool2dAttributes).countPadding ? 1 : 0,
      }),
  ],
  [adaptiveAvgPool2d, translateAdaptiveAvgPool2d],
  [globalAvgPool2d, (builder, { inputs: [x], scope }) => builder.emit(scope, 'GlobalAveragePool', [builder.value(x)])],
]);

/** Appends a node of a traced graph. */
export function translate(builder: OnnxBuilder, node: Node): void {
  const operator = operators.get(node.op);
  if (!operator) throw new InternalError(`onnx: the op ${node.op.name} is not translated`);
  const value = operator(builder, node);
  if (value) builder.bind(required(node.outputs[0], node.op.name), value);
}
