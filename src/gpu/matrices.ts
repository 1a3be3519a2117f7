import type { SubgroupMatrices } from '../base/traits.ts';

/** https://dawn.googlesource.com/dawn/+/refs/heads/main/docs/dawn/features/subgroup_matrix.md */
interface SubgroupMatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}

/** Features that shaders with matrices of f16 need; the last one is Dawn's own. */
const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as readonly GPUFeatureName[];

/**
 * The largest matrices of f16 with sums in f32 that an adapter multiplies, and the features to ask for. Undefined where it
 * has none, or where its subgroups differ in size: a workgroup's threads could not be counted off into subgroups.
 */
export function findMatrices(
  adapter: GPUAdapter,
): { readonly matrices: SubgroupMatrices; readonly features: readonly GPUFeatureName[] } | undefined {
  const info: GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> } = adapter.info;
  const { subgroupMinSize: subgroupSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = info;
  if (!FEATURES.every((feature) => adapter.features.has(feature))) return undefined;
  if (subgroupSize === undefined || subgroupSize !== subgroupMaxSize) return undefined;
  const [largest] = [...subgroupMatrixConfigs]
    .filter(({ componentType, resultComponentType }) => componentType === 'f16' && resultComponentType === 'f32')
    .sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return largest && { matrices: { m: largest.M, n: largest.N, k: largest.K, subgroupSize }, features: FEATURES };
}
