/** `software`: a driver that computes on the CPU; `embedded`: SwiftShader, as it comes with a browser or an npm package. */
export type AdapterKind = 'hardware' | 'software' | 'embedded';

/** Type in which maps and their gradients are stored; weights, statistics and sums are f32 in any case. */
export type Precision = 'f32' | 'f16';

/** Matrices of f16 that the threads of a subgroup multiply together, [m,k] x [k,n], with sums in f32. */
export interface SubgroupMatrices {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Threads of every subgroup. */
  readonly subgroupSize: number;
}

/** What kernels may know of the adapter they run on. */
export interface AdapterTraits {
  /** `software`: lanes are a CPU's vector lanes, barriers and workgroup memory cost; `hardware`: a GPU. */
  readonly kind: 'hardware' | 'software';
  /** The driver keeps arrays of a shader's functions in memory: sums in an array are loaded and stored for each product. */
  readonly arraysInMemory?: boolean;
  /** Largest storage buffer binding, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
  /** Largest workgroup memory, in bytes. */
  readonly workgroupBytes: number;
  /** Most threads of a workgroup. */
  readonly workgroupThreads: number;
  /** Whether maps and their gradients lie in memory as f16: only where that was asked for. */
  readonly storesHalves?: boolean;
  /** Only where operands may be rounded to f16. */
  readonly matrices?: SubgroupMatrices;
  /** Rough arithmetic rate in FLOP/s, used only to cut a long step into several submits. */
  readonly expectedFlops: number;
}

/** What a device that was opened for f16 can do of it. */
export const precisionOf = ({ storesHalves }: AdapterTraits): Precision => (storesHalves ? 'f16' : 'f32');
