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
  /** Only where operands may be rounded to f16. */
  readonly matrices?: SubgroupMatrices;
  /** Rough arithmetic rate in FLOP/s, used only to cut a long step into several submits. */
  readonly expectedFlops: number;
}
