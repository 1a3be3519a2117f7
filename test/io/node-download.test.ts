import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { type DownloadOptions, download } from '../../src/io/node-download.ts';
import { temporaryFolder } from './temporary.ts';
import { type Server, sendRange, serve, serveProxy } from './web-server.ts';

const folder = temporaryFolder();
const file = join(folder, 'weights.pth');
const content = Uint8Array.from({ length: 300_000 }, (_, at) => (at * at) % 253);
const sha256 = createHash('sha256').update(content).digest('hex');

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
/** What the server does to its first requests; after that it answers well. */
let answers: Answer[] = [];
/** The ranges that were asked for. */
let asked: (string | undefined)[] = [];

beforeEach(async () => {
  // The machine's own proxy is none of this test's business.
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toLowerCase(), undefined);
  }
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  [answers, asked] = [[], []];
  server = await serve((request, response) => {
    asked.push(request.headers.range);
    (answers.shift() ?? ((...both) => sendRange(content, ...both)))(request, response);
  });
});
afterEach(async () => {
  await server.close();
  vi.unstubAllEnvs();
});

const fetchIt = (options: Partial<DownloadOptions> = {}) =>
  download(`${server.address}/weights.pth`, { file, sha256: sha256.slice(0, 8), ...options });

const refusal = async (task: Promise<unknown>): Promise<string> => {
  const error = await task.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message.replaceAll(folder, 'DIR').replaceAll(server.address, 'SERVER');
};

/** The file is whole and nothing else is left. */
function expectWhole(): void {
  expect(readdirSync(folder)).toEqual(['weights.pth']);
  expect(Buffer.compare(readFileSync(file), content)).toBe(0);
}

/** Sends the head of a whole answer, `bytes` of its body, and breaks the connection. */
const breakOff =
  (bytes: number): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
  };

describe('download', () => {
  it('fetches a file and says how far it is', async () => {
    const told: [number, number | undefined][] = [];
    expect(await fetchIt({ onProgress: (...both) => told.push(both) })).toBe(sha256);
    expectWhole();
    expect(told[0]).toEqual([0, content.length]);
    expect(told.at(-1)).toEqual([content.length, content.length]);
    expect(asked).toEqual([undefined]);
  });

  it('goes on where the transfer broke off', async () => {
    answers = [breakOff(100_000)];
    await fetchIt();
    expectWhole();
    expect(asked).toEqual([undefined, 'bytes=100000-']);
  });

  it('goes on where an earlier command ended', async () => {
    writeFileSync(`${file}.part`, content.subarray(0, 1234));
    await fetchIt();
    expectWhole();
    expect(asked).toEqual(['bytes=1234-']);
  });

  it('takes a part that is whole for what it is', async () => {
    writeFileSync(`${file}.part`, content);
    await fetchIt();
    expectWhole();
    expect(asked).toEqual([`bytes=${content.length}-`]);
  });

  it('begins anew where the server knows no ranges', async () => {
    writeFileSync(`${file}.part`, new Uint8Array(400_000));
    answers = [(_, response) => response.writeHead(200).end(content)];
    const told: (number | undefined)[] = [];
    await fetchIt({ onProgress: (_, total) => told.push(total) });
    expectWhole();
    expect(new Set(told)).toEqual(new Set([undefined]));
  });

  it('begins anew where what was there is of another file', async () => {
    writeFileSync(`${file}.part`, new Uint8Array(1000));
    await fetchIt();
    expectWhole();
    expect(asked).toEqual(['bytes=1000-', undefined]);
  });

  it('follows a redirect, with the range', async () => {
    writeFileSync(`${file}.part`, content.subarray(0, 77));
    answers = [(_, response) => response.writeHead(302, { location: '/elsewhere' }).end()];
    await fetchIt();
    expectWhole();
    expect(asked).toEqual(['bytes=77-', 'bytes=77-']);
  });

  it('tries again where the server is busy', async () => {
    answers = [(_, response) => response.writeHead(503).end('later')];
    await fetchIt();
    expectWhole();
  });

  it('gives up after some tries, and keeps what has arrived', async () => {
    answers = [breakOff(100_000), ...Array.from({ length: 3 }, (): Answer => (request) => request.socket.destroy())];
    expect(await refusal(fetchIt())).toMatch(
      /^cannot fetch SERVER\/weights.pth: .+; 100000 bytes are kept, and the same command goes on with them$/,
    );
    expect(readdirSync(folder)).toEqual(['weights.pth.part']);
    await fetchIt();
    expectWhole();
  }, 20_000);

  it('refuses another content, and keeps nothing of it', async () => {
    answers = [(_, response) => response.end('something else')];
    expect(await refusal(fetchIt())).toMatch(
      /^SERVER\/weights.pth has the SHA-256 [0-9a-f]{64}, expected one that begins with [0-9a-f]{8}: nothing is kept$/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says what the server answers', async () => {
    answers = [(_, response) => response.writeHead(404).end('no')];
    expect(await refusal(fetchIt())).toBe('cannot fetch SERVER/weights.pth: the server answers 404 Not Found');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says that there is no server', async () => {
    await server.close();
    expect(await refusal(fetchIt())).toMatch(/^cannot fetch SERVER\/weights.pth: connect ECONNREFUSED 127.0.0.1:\d+$/);
  }, 20_000);

  it('says where nothing can be written', async () => {
    const lost = join(folder, 'none', 'weights.pth');
    expect(await refusal(fetchIt({ file: lost }))).toMatch(/^cannot lock DIR\/none\/.*: no such file or folder$/);
    writeFileSync(`${file}.lock`, JSON.stringify({ pid: 1, host: 'elsewhere', started: '', system: '' }));
    expect(await refusal(fetchIt())).toBe('process 1 is fetching DIR/weights.pth: wait for it');
  });

  it('stops where it is interrupted, and goes on later', async () => {
    const control = new AbortController();
    answers = [
      (_, response) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 50_000));
      },
    ];
    const onProgress = (bytes: number) => bytes > 0 && control.abort(new UserError('interrupted'));
    expect(await refusal(fetchIt({ signal: control.signal, onProgress }))).toBe('interrupted');
    expect(readdirSync(folder)).toEqual(['weights.pth.part']);
    await fetchIt();
    expectWhole();
    expect(asked[1]).toMatch(/^bytes=\d+-$/);
  });

  it('goes through a proxy, except where it is not to', async () => {
    const proxy = await serveProxy();
    try {
      vi.stubEnv('HTTP_PROXY', proxy.address);
      vi.stubEnv('HTTPS_PROXY', proxy.address);
      await fetchIt();
      expectWhole();
      expect(proxy.asked).toEqual([new URL(server.address).host]);
      rmSync(file);
      vi.stubEnv('NO_PROXY', '127.0.0.1');
      await fetchIt();
      expect(existsSync(file)).toBe(true);
      expect(proxy.asked).toHaveLength(1);
    } finally {
      await proxy.close();
    }
  });
});
