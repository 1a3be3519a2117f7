import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** An attribute: a whole number (INT), whole numbers (INTS) or, as such an object, a FLOAT. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** A node: `opType` is a name of ONNX's default operator set; operands go by the names of values and initializers. */
export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant f32 tensor. */
export interface OnnxInitializer {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** An f32 tensor that goes in or comes out; a size that is a name may be anything. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  readonly description: string;
}

/** What an ONNX file holds. */
export interface OnnxModel {
  readonly name: string;
  readonly producerVersion: string;
  /** In an order in which they can run. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxInitializer>;
  readonly input: OnnxValue;
  readonly output: OnnxValue;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Version of the operator set, and the first version of the file format that has it. */
const OPSET = 17;
const IR_VERSION = 8;

/** Numbers of onnx.proto's enums. */
const FLOAT_ELEMENTS = 1;
const ATTRIBUTE = { float: 1, int: 2, ints: 7 } as const;

/** A protobuf message, field by field, under the numbers that onnx.proto gives them. */
class Message {
  readonly #writer: BinaryWriter;

  constructor(writer: BinaryWriter) {
    this.#writer = writer;
  }

  int(field: number, value: number): void {
    this.#writer.tag(field, WireType.Varint).int64(value);
  }

  float(field: number, value: number): void {
    this.#writer.tag(field, WireType.Bit32).float(value);
  }

  text(field: number, value: string): void {
    this.#writer.tag(field, WireType.LengthDelimited).string(value);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#writer.tag(field, WireType.LengthDelimited).bytes(value);
  }

  message(field: number, write: (message: Message) => void): void {
    this.#writer.tag(field, WireType.LengthDelimited).fork();
    write(this);
    this.#writer.join();
  }
}

function writeAttribute(message: Message, name: string, value: OnnxAttribute): void {
  message.text(1, name);
  if (typeof value === 'number') {
    message.int(3, value);
    message.int(20, ATTRIBUTE.int);
  } else if ('float' in value) {
    message.float(2, value.float);
    message.int(20, ATTRIBUTE.float);
  } else {
    for (const one of value) message.int(8, one);
    message.int(20, ATTRIBUTE.ints);
  }
}

function writeNode(message: Message, { name, opType, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(3, name);
  message.text(4, opType);
  for (const [key, value] of Object.entries(attributes)) {
    message.message(5, (attribute) => writeAttribute(attribute, key, value));
  }
}

function writeInitializer(message: Message, name: string, { shape, data }: OnnxInitializer): void {
  for (const size of shape) message.int(1, size);
  message.int(2, FLOAT_ELEMENTS);
  message.text(8, name);
  message.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValue(message: Message, { name, shape, description }: OnnxValue): void {
  message.text(1, name);
  message.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.int(1, FLOAT_ELEMENTS);
      tensor.message(2, (dimensions) => {
        for (const size of shape) {
          dimensions.message(1, (dimension) =>
            typeof size === 'number' ? dimension.int(1, size) : dimension.text(2, size),
          );
        }
      });
    }),
  );
  message.text(3, description);
}

/**
 * An ONNX file: protobuf, by onnx.proto of https://github.com/onnx/onnx. The same model gives the same bytes. Protobuf
 * holds at most 2 GB.
 */
export function encodeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  const file = new Message(writer);
  file.int(1, IR_VERSION);
  file.text(2, 'murad');
  file.text(3, model.producerVersion);
  file.message(7, (graph) => {
    for (const node of model.nodes) graph.message(1, (message) => writeNode(message, node));
    graph.text(2, model.name);
    for (const [name, initializer] of model.initializers) {
      graph.message(5, (message) => writeInitializer(message, name, initializer));
    }
    graph.message(11, (message) => writeValue(message, model.input));
    graph.message(12, (message) => writeValue(message, model.output));
  });
  file.message(8, (operatorSet) => {
    operatorSet.text(1, '');
    operatorSet.int(2, OPSET);
  });
  for (const [key, value] of Object.entries(model.metadata)) {
    file.message(14, (entry) => {
      entry.text(1, key);
      entry.text(2, value);
    });
  }
  return writer.finish();
}
