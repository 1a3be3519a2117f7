import { elementCount } from '../../src/base/shape.ts';
import type { DecodedModel, DecodedNode, OnnxTensor } from './onnx-file.ts';

/** An operator by ONNX's Operators.md, in float64; maps are NCHW. */
type Operator = (inputs: readonly OnnxTensor[], attributes: DecodedNode['attributes']) => OnnxTensor;
type Sizes = readonly [number, number, number, number];

const sizesOf = (tensor: OnnxTensor): Sizes => {
  if (tensor.shape.length !== 4) throw new Error(`expected NCHW, got [${tensor.shape}]`);
  return tensor.shape as Sizes;
};

const operand = (inputs: readonly OnnxTensor[], index: number): OnnxTensor => {
  const tensor = inputs[index];
  if (!tensor) throw new Error(`operand ${index} is missing`);
  return tensor;
};

const mapped = (x: OnnxTensor, f: (value: number, index: number) => number): OnnxTensor => ({
  shape: x.shape,
  values: x.values.map(f),
});

/** Of two tensors of one shape, or of maps and a value for each channel [C,1,1]. */
const elementwise =
  (f: (a: number, b: number) => number): Operator =>
  (inputs) => {
    const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
    const perChannel = b.shape.length === 3;
    const area = perChannel ? elementCount(a.shape.slice(2)) : 1;
    return mapped(a, (value, index) => f(value, b.values[Math.floor(index / area) % b.values.length] as number));
  };

interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: Sizes;
}

const windowOf = ({ kernel_shape, strides, pads }: DecodedNode['attributes']): Window =>
  ({ kernel: kernel_shape, strides, pads }) as unknown as Window;

/** Rows or columns of a result, and the input's places that a tap of each lies on: start + result * stride. */
function outputSizes([, , height, width]: Sizes, { kernel, strides, pads }: Window): [number, number] {
  return [
    Math.floor((height + pads[0] + pads[2] - kernel[0]) / strides[0]) + 1,
    Math.floor((width + pads[1] + pads[3] - kernel[1]) / strides[1]) + 1,
  ];
}

/** Calls `visit` with each place of the input that lies in the window of each result: (result, place, tap). */
function eachTap(sizes: Sizes, window: Window, visit: (result: number, place: number, tap: number) => void): void {
  const [, , height, width] = sizes;
  const { kernel, strides, pads } = window;
  const [outHeight, outWidth] = outputSizes(sizes, window);
  for (let oy = 0; oy < outHeight; oy++) {
    for (let ox = 0; ox < outWidth; ox++) {
      for (let ky = 0; ky < kernel[0]; ky++) {
        const y = oy * strides[0] + ky - pads[0];
        if (y < 0 || y >= height) continue;
        for (let kx = 0; kx < kernel[1]; kx++) {
          const x = ox * strides[1] + kx - pads[1];
          if (x >= 0 && x < width) visit(oy * outWidth + ox, y * width + x, ky * kernel[1] + kx);
        }
      }
    }
  }
}

const conv: Operator = (inputs, attributes) => {
  const [x, w] = [operand(inputs, 0), operand(inputs, 1)];
  const bias = inputs[2];
  const window = windowOf(attributes);
  const [groups = 1] = attributes.group ?? [];
  const [images, channels, height, width] = sizesOf(x);
  const [outputs, groupInputs] = sizesOf(w);
  if (groupInputs * groups !== channels) throw new Error(`Conv: ${channels} channels, weight [${w.shape}]`);
  const [outHeight, outWidth] = outputSizes(sizesOf(x), window);
  const area = outHeight * outWidth;
  const taps = window.kernel[0] * window.kernel[1];
  const visits: [number, number, number][] = [];
  eachTap(sizesOf(x), window, (...visit) => visits.push(visit));
  const values = new Float64Array(images * outputs * area);
  for (let image = 0; image < images; image++) {
    for (let o = 0; o < outputs; o++) {
      const result = values.subarray((image * outputs + o) * area, (image * outputs + o + 1) * area);
      result.fill(bias?.values[o] ?? 0);
      const firstInput = Math.floor(o / (outputs / groups)) * groupInputs;
      for (let i = 0; i < groupInputs; i++) {
        const source = (image * channels + firstInput + i) * height * width;
        const weight = (o * groupInputs + i) * taps;
        for (const [to, from, tap] of visits) {
          result[to] =
            (result[to] as number) + (x.values[source + from] as number) * (w.values[weight + tap] as number);
        }
      }
    }
  }
  return { shape: [images, outputs, outHeight, outWidth], values };
};

const batchNormalization: Operator = (inputs, { epsilon }) => {
  const x = operand(inputs, 0);
  const [, channels, height, width] = sizesOf(x);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) => operand(inputs, index).values);
  if (!scale || !bias || !mean || !variance) throw new Error('BatchNormalization: an operand is missing');
  return mapped(x, (value, index) => {
    const c = Math.floor(index / (height * width)) % channels;
    const deviation = Math.sqrt((variance[c] as number) + (epsilon?.[0] as number));
    return ((value - (mean[c] as number)) / deviation) * (scale[c] as number) + (bias[c] as number);
  });
};

/** Pools each channel of each image on its own. */
function pool(x: OnnxTensor, window: Window, reduce: (values: readonly number[]) => number): OnnxTensor {
  const [images, channels, height, width] = sizesOf(x);
  const [outHeight, outWidth] = outputSizes(sizesOf(x), window);
  const values = new Float64Array(images * channels * outHeight * outWidth);
  for (let plane = 0; plane < images * channels; plane++) {
    const seen: number[][] = Array.from({ length: outHeight * outWidth }, () => []);
    eachTap(sizesOf(x), window, (result, place) => {
      seen[result]?.push(x.values[plane * height * width + place] as number);
    });
    values.set(seen.map(reduce), plane * outHeight * outWidth);
  }
  return { shape: [images, channels, outHeight, outWidth], values };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const averagePool: Operator = (inputs, attributes) => {
  const window = windowOf(attributes);
  const whole = attributes.count_include_pad?.[0] === 1;
  return pool(
    operand(inputs, 0),
    window,
    (values) => sum(values) / (whole ? window.kernel[0] * window.kernel[1] : values.length),
  );
};

const globalAveragePool: Operator = (inputs) => {
  const x = operand(inputs, 0);
  const [, , height, width] = sizesOf(x);
  const window: Window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] };
  return pool(x, window, (values) => sum(values) / values.length);
};

const concat: Operator = (inputs, { axis }) => {
  const [first] = inputs;
  if (!first || axis?.[0] !== 1) throw new Error('Concat: expected parts, and the axis of channels');
  const [images = 0] = first.shape;
  const strides = inputs.map(({ shape }) => elementCount(shape.slice(1)));
  const values = new Float64Array(images * sum(strides));
  let start = 0;
  inputs.forEach((part, index) => {
    const stride = strides[index] as number;
    for (let image = 0; image < images; image++) {
      values.set(part.values.subarray(image * stride, (image + 1) * stride), image * sum(strides) + start);
    }
    start += stride;
  });
  return { shape: [images, sum(inputs.map(({ shape }) => shape[1] ?? 0)), ...first.shape.slice(2)], values };
};

const gemm: Operator = (inputs, { transB }) => {
  const [a, b, c] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
  const [rows = 0, terms = 0] = a.shape;
  const [columns = 0] = b.shape;
  if (transB?.[0] !== 1 || b.shape[1] !== terms) throw new Error(`Gemm: [${a.shape}] times [${b.shape}]`);
  const values = new Float64Array(rows * columns).map((_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    let total = c.values[column] as number;
    for (let k = 0; k < terms; k++) {
      total += (a.values[row * terms + k] as number) * (b.values[column * terms + k] as number);
    }
    return total;
  });
  return { shape: [rows, columns], values };
};

/** One operand is a matrix, the other a stack of them [N,C,rows,columns]. */
const matMul: Operator = (inputs) => {
  const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
  const stack = a.shape.length === 4 ? a : b;
  const [rows = 0, terms = 0] = a.shape.slice(-2);
  const [height = 0, columns = 0] = b.shape.slice(-2);
  if (height !== terms) throw new Error(`MatMul: [${a.shape}] times [${b.shape}]`);
  const [images, channels] = sizesOf(stack);
  const values = new Float64Array(images * channels * rows * columns).map((_, index) => {
    const plane = Math.floor(index / (rows * columns));
    const firstA = (stack === a ? plane * rows * terms : 0) + (Math.floor(index / columns) % rows) * terms;
    const firstB = (stack === b ? plane * terms * columns : 0) + (index % columns);
    let total = 0;
    for (let k = 0; k < terms; k++) {
      total += (a.values[firstA + k] as number) * (b.values[firstB + k * columns] as number);
    }
    return total;
  });
  return { shape: [images, channels, rows, columns], values };
};

const operators: Readonly<Record<string, Operator>> = {
  Add: elementwise((a, b) => a + b),
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Clip: (inputs) => {
    const [low = 0, high = 0] = [1, 2].map((index) => operand(inputs, index).values[0] as number);
    return mapped(operand(inputs, 0), (value) => Math.min(high, Math.max(low, value)));
  },
  Concat: concat,
  Conv: conv,
  Flatten: (inputs) => {
    const { shape, values } = operand(inputs, 0);
    return { shape: [shape[0] ?? 0, elementCount(shape.slice(1))], values };
  },
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  MatMul: matMul,
  Mul: elementwise((a, b) => a * b),
  MaxPool: (inputs, attributes) => pool(operand(inputs, 0), windowOf(attributes), (values) => Math.max(...values)),
  Relu: (inputs) => mapped(operand(inputs, 0), (value) => Math.max(0, value)),
};

/** Runs a model in float64. Every operand has to be there before it is read, as ONNX wants it. */
export function runOnnx(model: DecodedModel, input: OnnxTensor): OnnxTensor {
  const values = new Map([...model.initializers, [model.inputs[0]?.name ?? '', input] as const]);
  for (const { name, opType, inputs, outputs, attributes } of model.nodes) {
    const operator = operators[opType];
    if (!operator) throw new Error(`${name}: no operator ${opType}`);
    const operands = inputs.map((one) => {
      const value = values.get(one);
      if (!value) throw new Error(`${name}: ${one} is not there yet`);
      return value;
    });
    values.set(outputs[0] ?? '', operator(operands, attributes));
  }
  const result = values.get(model.outputs[0]?.name ?? '');
  if (!result) throw new Error('no output');
  return result;
}
