import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { UsageError, UserError } from '../../src/base/errors.ts';
import type { Context } from '../../src/cli/command.ts';
import { pretrainedFile, run } from '../../src/cli/weights-fetch.ts';
import { models } from '../../src/models/index.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { type Server, sendRange, serve } from '../io/web-server.ts';

const content = new TextEncoder().encode('weights');
const sha256 = createHash('sha256').update(content).digest('hex');
const name = `densenet121-${sha256.slice(0, 8)}.pth`;

// A file whose checksum is the published one is torchvision's own.
vi.mock('../../src/models/densenet.ts', async (original) => {
  const { createHash } = await import('node:crypto');
  const { densenets } = await original<typeof import('../../src/models/densenet.ts')>();
  const hash = createHash('sha256').update('weights').digest('hex').slice(0, 8);
  return { densenets: densenets.map((model) => ({ ...model, imagenetWeights: `${model.name}-${hash}.pth` })) };
});

const folder = temporaryFolder();
const kept = join(folder, 'murad/weights', name);
let server: Server;
const asked: string[] = [];
beforeAll(async () => {
  server = await serve((request, response) => {
    asked.push(request.url ?? '');
    sendRange(content, request, response);
  });
});
afterAll(() => server.close());
beforeEach(() => {
  vi.stubEnv('XDG_CACHE_HOME', folder);
  for (const proxy of ['HTTP_PROXY', 'http_proxy']) vi.stubEnv(proxy, undefined);
  rmSync(join(folder, 'murad'), { recursive: true, force: true });
  asked.length = 0;
});
afterEach(() => vi.unstubAllEnvs());

const context: Context = {
  note: () => {},
  isGiven: () => false,
  interruption: () => new AbortController().signal,
  progress: () => ({ update: () => {}, end: () => {} }),
};

const fetchWeights = (model: string, out?: string) =>
  run({ name: model, out, url: `${server.address}/models/`, json: false, verbose: false }, context);

describe('weights fetch', () => {
  it('fetches once, and --pretrained finds it by the name of the network', async () => {
    await expect(pretrainedFile('densenet121')).rejects.toThrow(
      `${kept}, the ImageNet weights of densenet121, is not there: murad weights fetch densenet121 fetches it`,
    );
    const { json, text } = await fetchWeights('densenet121');
    expect(json).toEqual({ name: 'densenet121', file: kept, sha256, fetched: true });
    expect(text).toBe(kept);
    expect(readFileSync(kept, 'utf8')).toBe('weights');
    expect(await pretrainedFile('densenet121')).toBe(kept);
    expect(await fetchWeights('densenet121')).toMatchObject({
      json: { fetched: false },
      text: `${kept} is there already, and its checksum is right`,
    });
    expect(asked).toEqual([`/models/${name}`]);
  });

  it('writes where --out says, in a folder that it makes', async () => {
    const out = join(folder, 'murad/new/some.pth');
    await fetchWeights('densenet121', out);
    expect(existsSync(out)).toBe(true);
    expect(existsSync(kept)).toBe(false);
  });

  it('leaves another file of that name alone', async () => {
    const out = join(folder, 'mine.pth');
    writeFileSync(out, 'mine');
    await expect(fetchWeights('densenet121', out)).rejects.toThrow(UserError);
    await expect(fetchWeights('densenet121', out)).rejects.toThrow(
      /^.*mine\.pth is another file: its SHA-256 .*; remove it$/,
    );
    expect(readFileSync(out, 'utf8')).toBe('mine');
    await expect(fetchWeights('densenet121', join(out, 'below.pth'))).rejects.toThrow(
      /^cannot write to the folder .*mine\.pth: it exists already$/,
    );
    expect(asked).toEqual([]);
  });

  it('knows the networks', async () => {
    await expect(fetchWeights('densenet122')).rejects.toThrow(UsageError);
    await expect(fetchWeights('densenet122')).rejects.toThrow(
      'unknown model "densenet122": expected one of densenet121,',
    );
    expect(await pretrainedFile('some/densenet121')).toBe('some/densenet121');
  });

  it('has a file with a checksum for every network', async () => {
    const real = await vi.importActual<typeof import('../../src/models/densenet.ts')>('../../src/models/densenet.ts');
    const files = [...real.densenets, ...models.slice(4)].map(({ imagenetWeights }) => imagenetWeights);
    // torchvision 0.14, `models.get_model_weights(name).IMAGENET1K_V1.url`.
    expect(files).toEqual([
      'densenet121-a639ec97.pth',
      'densenet161-8d451a50.pth',
      'densenet169-b2777c0a.pth',
      'densenet201-c1103571.pth',
      'inception_v3_google-0cc3c7bd.pth',
      'mobilenet_v2-b0353104.pth',
      'resnet34-b627a593.pth',
      'resnet50-0676ba61.pth',
      'resnet101-63fe2227.pth',
      'resnet152-394f9c45.pth',
      'resnext50_32x4d-7cdf4587.pth',
      'resnext101_32x8d-8ba56ff5.pth',
      'vgg16-397923af.pth',
      'vgg19-dcbb9e9d.pth',
      'vgg11_bn-6002323d.pth',
      'vgg13_bn-abd245e5.pth',
      'vgg16_bn-6c64b313.pth',
      'vgg19_bn-c79401a0.pth',
    ]);
  });
});
