import { h } from './ui/dom.ts';

/** What to do where the browser gives no GPU, and why it does not. */
export function noWebGpu(reason: string): HTMLElement {
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'no-webgpu' },
    h('h2', { id: 'no-webgpu' }, 'This page needs WebGPU'),
    h('p', {}, `It cannot run here: ${reason}.`),
    h('p', {}, 'These browsers have it:'),
    h(
      'ul',
      {},
      h('li', {}, 'Chrome and Edge 113 and newer on Windows, macOS and ChromeOS; 121 and newer on Android'),
      h('li', {}, 'Firefox 141 and newer on Windows; 145 and newer on macOS with Apple silicon'),
      h('li', {}, 'Safari 26 and newer on macOS, iPhone and iPad'),
      h(
        'li',
        {},
        'Chrome on Linux: 144 and newer on Intel graphics; elsewhere start it with ',
        h('code', {}, '--enable-unsafe-webgpu --enable-features=Vulkan'),
      ),
    ),
    h(
      'p',
      {},
      'The page must come over https, or from this machine (localhost). The command line tool ',
      h('code', {}, 'npx murad predict'),
      ' reads images without a browser.',
    ),
  );
}
