import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A protobuf message as it lies in the file: every value of every field. */
type Fields = Map<number, (number | Uint8Array)[]>;

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value =
      type === WireType.Varint ? Number(reader.int64()) : type === WireType.Bit32 ? reader.float() : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const parts = (fields: Fields, field: number) => (fields.get(field) ?? []) as Uint8Array[];
const messages = (fields: Fields, field: number) => parts(fields, field).map(fieldsOf);
const texts = (fields: Fields, field: number) => parts(fields, field).map((bytes) => new TextDecoder().decode(bytes));
const text = (fields: Fields, field: number) => texts(fields, field).join();
const numbers = (fields: Fields, field: number) => (fields.get(field) ?? []) as number[];

export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export interface DecodedNode {
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** A FLOAT or an INT as a list of one. */
  readonly attributes: Readonly<Record<string, readonly number[]>>;
}

export interface DecodedValue {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

export interface DecodedModel {
  readonly irVersion: number;
  readonly producer: readonly [name: string, version: string];
  readonly opset: readonly [domain: string, version: number];
  readonly metadata: Readonly<Record<string, string>>;
  readonly name: string;
  readonly nodes: readonly DecodedNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly DecodedValue[];
  readonly outputs: readonly DecodedValue[];
}

/** Numbers of onnx.proto's AttributeProto: its type, and the field that holds a value of that type. */
const ATTRIBUTE_FIELDS: Readonly<Record<number, number>> = { 1: 2, 2: 3, 7: 8 };
const F32 = 1;

function decodeNode(node: Fields): DecodedNode {
  const attributes = messages(node, 5).map((attribute) => {
    const [type = 0] = numbers(attribute, 20);
    return [text(attribute, 1), numbers(attribute, ATTRIBUTE_FIELDS[type] ?? 0)] as const;
  });
  return {
    inputs: texts(node, 1),
    outputs: texts(node, 2),
    name: text(node, 3),
    opType: text(node, 4),
    attributes: Object.fromEntries(attributes),
  };
}

function decodeInitializer(tensor: Fields): [string, OnnxTensor] {
  if (numbers(tensor, 2)[0] !== F32) throw new Error(`${text(tensor, 8)} is not f32`);
  const raw = new Uint8Array(parts(tensor, 9)[0] as Uint8Array);
  return [text(tensor, 8), { shape: numbers(tensor, 1), values: Float64Array.from(new Float32Array(raw.buffer)) }];
}

function decodeValue(value: Fields): DecodedValue {
  const [tensor] = messages(value, 2).flatMap((type) => messages(type, 1));
  const [shape] = tensor ? messages(tensor, 2) : [];
  if (!tensor || !shape || numbers(tensor, 1)[0] !== F32) throw new Error(`${text(value, 1)} is no f32 tensor`);
  return {
    name: text(value, 1),
    shape: messages(shape, 1).map((size) => numbers(size, 1)[0] ?? text(size, 2)),
  };
}

/** Reads what an exported file holds, by the field numbers of onnx.proto. */
export function decodeOnnx(bytes: Uint8Array): DecodedModel {
  const model = fieldsOf(bytes);
  const [graph] = messages(model, 7);
  const [opset] = messages(model, 8);
  if (!graph || !opset) throw new Error('no graph or no operator set');
  return {
    irVersion: numbers(model, 1)[0] ?? 0,
    producer: [text(model, 2), text(model, 3)],
    opset: [text(opset, 1), numbers(opset, 2)[0] ?? 0],
    metadata: Object.fromEntries(messages(model, 14).map((entry) => [text(entry, 1), text(entry, 2)])),
    name: text(graph, 2),
    nodes: messages(graph, 1).map(decodeNode),
    initializers: new Map(messages(graph, 5).map(decodeInitializer)),
    inputs: messages(graph, 11).map(decodeValue),
    outputs: messages(graph, 12).map(decodeValue),
  };
}
