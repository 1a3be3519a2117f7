import type { Plugin } from 'vite';

/** The development server puts styles into the page, which the policy of the built page forbids. */
export const developmentPolicy = (): Plugin => ({
  name: 'murad:development-policy',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
});
