import type { App, Page } from './app.ts';
import { openEngine } from './engine.ts';
import { noWebGpu } from './no-webgpu.ts';
import { benchPage } from './pages/bench.ts';
import { readPage } from './pages/read.ts';
import { trainPage } from './pages/train.ts';
import { verifyPage } from './pages/verify.ts';
import { h, messageOf } from './ui/dom.ts';

const pages: readonly Page[] = [readPage, trainPage, benchPage, verifyPage];

const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
};

function notice(text: string, kind: 'information' | 'error' = 'information'): void {
  const line = byId('notice');
  line.className = kind;
  line.textContent = text;
}

/** Shows the page that the address names after its #; each is made when it is first shown. */
function startNavigation(app: App): void {
  const made = new Map<string, HTMLElement>();
  const links = pages.map(({ id, title }) => h('a', { href: `#${id}` }, title));
  byId('pages').replaceChildren(...links);
  const show = () => {
    const page = pages.find(({ id }) => `#${id}` === location.hash) ?? readPage;
    const element = made.get(page.id) ?? page.make(app);
    made.set(page.id, element);
    byId('main').replaceChildren(element);
    document.title = `${page.title} - MuRAD in the browser`;
    for (const link of links) {
      if (link.hash === `#${page.id}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  };
  addEventListener('hashchange', show);
  show();
}

async function start(): Promise<void> {
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    // Where it is refused (http, private mode) the page works, but not offline.
    navigator.serviceWorker.register('./service-worker.js').catch(() => undefined);
  }
  try {
    const { remote, adapter } = await openEngine((message) =>
      notice(
        `The GPU was reset${message ? ` (${message})` : ''}. The page opens it again and repeats what it was reading.`,
        'error',
      ),
    );
    const kind = adapter.kind === 'hardware' ? '' : ' (software: slow)';
    byId('adapter').textContent = `GPU: ${adapter.name}${kind}`;
    startNavigation({ engine: remote, adapter, notice, weights: undefined });
  } catch (error) {
    byId('adapter').textContent = 'No GPU';
    byId('main').replaceChildren(noWebGpu(messageOf(error)));
  }
}

void start();
