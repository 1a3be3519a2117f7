/**
 * MuRAD on WebGPU: the public API. Open a device, take or define a network, train it step by step, read images with it
 * and save its weights. Commands are built on the same functions; see docs/architecture.md.
 *
 * @module
 */

export { InternalError, OutOfMemoryError, ShapeError, UsageError, UserError } from './base/errors.ts';
export type { Shape } from './base/shape.ts';
export type { AdapterTraits, SubgroupMatrices } from './base/traits.ts';
export type { Device, DeviceDescription, LiveObjects } from './gpu/device.ts';
export type { AdapterOptions, NodeAdapter } from './gpu/node.ts';
export { openDevice } from './gpu/node-device.ts';
export type { Pending } from './gpu/readback.ts';
export type { Choices } from './graph/choices.ts';
export type { Tensor } from './graph/graph.ts';
export type { PassName } from './graph/passes/index.ts';
export type { Activation } from './kernels/activation.ts';
export type { Normalisation } from './kernels/augment.ts';
export { type ClassActivationMap, drawClassActivationMap, type Picture } from './models/cam.ts';
export type { ModelDefinition, Outputs } from './models/definition.ts';
export { batchOf, type ImageBatch } from './models/images.ts';
export { findModel, models } from './models/index.ts';
export { Inference, type InferenceOptions } from './models/inference.ts';
export type { Initialiser } from './models/initialise.ts';
export { Model } from './models/model.ts';
export type { BatchNormOptions, Conv2dOptions, Network, PoolOptions } from './models/network.ts';
export { exportOnnx, type OnnxOptions } from './models/onnx/index.ts';
export { AdamState } from './train/adam-state.ts';
export { type Evaluation, evaluate, type Levels, type Prediction, type Scores } from './train/metrics.ts';
export { type TrainingBatch, type TrainingOptions, TrainingStep } from './train/step.ts';
export { writeSafetensors } from './weights/safetensors.ts';
export {
  type MatchedWeights,
  readMetadata,
  readWeights,
  type StateDict,
  type TensorData,
} from './weights/state-dict.ts';
