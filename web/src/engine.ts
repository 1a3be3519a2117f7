import { type Remote, wrap } from 'comlink';
import { openAdapter } from '../../src/gpu/browser-adapter.ts';
import type { AdapterReport, Engine } from './engine-api.ts';
import type { DeviceLost } from './worker/index.ts';

/** The worker, and what it tells of the GPU. */
export interface OpenEngine {
  readonly remote: Remote<Engine>;
  readonly adapter: AdapterReport;
}

/** Starts the worker and opens its GPU; `onLost` is told when the GPU is reset. Rejects where there is none. */
export async function openEngine(onLost: (message: string) => void): Promise<OpenEngine> {
  // Before the worker and its code are loaded.
  await openAdapter();
  const worker = new Worker(new URL('./worker/index.ts', import.meta.url), { type: 'module', name: 'murad' });
  worker.addEventListener('message', ({ data }: MessageEvent<Partial<DeviceLost> | null>) => {
    if (data?.type === 'device lost') onLost(data.message ?? '');
  });
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', ({ message }) =>
      reject(new Error(message || 'the worker of this page could not be loaded')),
    );
  });
  const remote = wrap<Engine>(worker);
  return { remote, adapter: await Promise.race([remote.open(), failed]) };
}
