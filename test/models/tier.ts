/**
 * VGGs that have no layer which vgg16 and vgg11_bn do not have; half a minute to a minute each in every test that moves
 * their 140 million weights: only with MURAD_TEST_ALL_VGG=1.
 */
const FURTHER = ['vgg19', 'vgg13_bn', 'vgg16_bn', 'vgg19_bn'];

const leftOut: readonly string[] = process.env.MURAD_TEST_ALL_VGG ? [] : FURTHER;

/** Those of the networks that this run's tests cover; says which are left out. */
export function inThisRun<T extends { readonly name: string }>(what: string, networks: readonly T[]): readonly T[] {
  const covered = networks.filter(({ name }) => !leftOut.includes(name));
  const names = networks.filter((one) => !covered.includes(one)).map(({ name }) => name);
  if (names.length > 0) console.log(`${what} leaves out ${names.join(', ')} without MURAD_TEST_ALL_VGG=1`);
  return covered;
}
