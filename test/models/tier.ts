/**
 * Networks that between them have every layer, and every way to put layers together, that any of the others has. The others
 * are deeper or wider: what takes long is tested with them only with MURAD_TEST_ALL=1.
 */
const REPRESENTATIVES = ['densenet121', 'inception_v3', 'mobilenet_v2', 'resnet34', 'resnext50_32x4d', 'vgg11_bn'];

/** Whether this run tests everything with every network. */
export const ALL = process.env.MURAD_TEST_ALL !== undefined;

/** Whether what takes long is tested with this network in this run. */
const isInThisRun = ({ name }: { readonly name: string }): boolean => ALL || REPRESENTATIVES.includes(name);

/** Those of the networks that this run's tests cover; says which are left out. */
export function inThisRun<T extends { readonly name: string }>(what: string, networks: readonly T[]): readonly T[] {
  const names = networks.filter((one) => !isInThisRun(one)).map(({ name }) => name);
  if (names.length > 0) console.log(`${what} leaves out ${names.join(', ')} without MURAD_TEST_ALL=1`);
  return networks.filter(isInThisRun);
}
