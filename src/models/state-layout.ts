import { channelsOf, elementCount, type Shape } from '../base/shape.ts';
import { convFromDevice, convToDevice } from '../weights/layout.ts';
import { floatTensor, type StateDict } from '../weights/tensor-data.ts';
import type { StateEntry, StateSpec } from './network.ts';

type ConvShape = readonly [number, number, number, number];

/** PyTorch's shape of what the device tensor holds of an entry. */
export const partShape = ({ shape, part }: StateEntry): Shape => (part ? [part.count, ...shape.slice(1)] : shape);

/** What the device tensor holds of an entry's values. */
export function partOf({ shape, part }: StateEntry, values: Float32Array): Float32Array {
  if (!part) return values;
  const row = elementCount(shape.slice(1));
  return values.subarray(part.first * row, (part.first + part.count) * row);
}

/** [O,I/groups,H,W] of an entry; a linear layer flattens maps of the height and width that the device's kernel has. */
function convShape(spec: StateSpec, entry: StateEntry): ConvShape {
  const shape = partShape(entry);
  if (entry.layout.kind === 'conv') return shape as ConvShape;
  const [height = 1, width = 1, inputs = 1] = spec.shape;
  return [shape[0] as number, inputs, height, width];
}

/** A device tensor from the values of its entries, or of the parts it holds, in PyTorch's layouts. */
export function toDevice(spec: StateSpec, values: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const device = new Float32Array(elementCount(spec.shape));
  spec.entries.forEach((entry, index) => {
    const source = values[index] as Float32Array;
    if (entry.layout.kind === 'row') device.set(source, entry.layout.row * channelsOf(spec.shape));
    else device.set(convToDevice(source, convShape(spec, entry), spec.shape[2]));
  });
  return device;
}

function fromDevice(spec: StateSpec, entry: StateEntry, device: Float32Array): Float32Array<ArrayBuffer> {
  if (entry.layout.kind !== 'row') return convFromDevice(device, convShape(spec, entry), spec.shape[2]);
  const channels = channelsOf(spec.shape);
  const { row } = entry.layout;
  return device.slice(row * channels, (row + 1) * channels) as Float32Array<ArrayBuffer>;
}

/** Adds the entries of a device tensor to `tensors`, under PyTorch's names and in its layouts. */
export function collect(tensors: StateDict, spec: StateSpec, device: Float32Array): void {
  for (const entry of spec.entries) {
    const values = fromDevice(spec, entry, device);
    if (!entry.part) {
      tensors.set(entry.key, floatTensor(entry.shape, values));
      continue;
    }
    const whole = tensors.get(entry.key) ?? floatTensor(entry.shape, new Float32Array(elementCount(entry.shape)));
    (whole.data as Float32Array).set(values, entry.part.first * elementCount(entry.shape.slice(1)));
    tensors.set(entry.key, whole);
  }
}
