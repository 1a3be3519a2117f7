/** What kernels may know of the adapter they run on. */
export interface AdapterTraits {
  /** `software`: lanes are a CPU's vector lanes, barriers and workgroup memory cost; `hardware`: a GPU. */
  readonly kind: 'hardware' | 'software';
  /** Largest storage buffer binding, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
  /** Rough arithmetic rate in FLOP/s, used only to cut a long step into several submits. */
  readonly expectedFlops: number;
}
