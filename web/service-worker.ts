/** Keeps every file of the page, weights and samples included, so that it works offline. Nothing else passes through. */

declare const self: ServiceWorkerGlobalScope;
/** The files of the build; see plugins/precache.ts. */
declare const __PRECACHE__: { readonly version: string; readonly files: readonly string[] };

export {};

const { version, files } = __PRECACHE__;
const PREFIX = 'murad-';
const CACHE = PREFIX + version;

self.addEventListener('install', (event) => {
  const fetched = files.map((file) => new Request(file, { cache: 'no-cache' }));
  event.waitUntil(
    (async () => {
      await (await caches.open(CACHE)).addAll(fetched);
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith(
    (async () => {
      const options = { cacheName: CACHE, ignoreSearch: true };
      const page = request.mode === 'navigate' ? await caches.match('./', options) : undefined;
      return page ?? (await caches.match(request, options)) ?? fetch(request);
    })(),
  );
});
