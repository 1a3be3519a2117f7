import type { Plugin } from 'vite';
import { type PhantomStudy, planPhantom, renderPhantom } from '../../src/data/phantom/index.ts';
import { encodeNodePng } from '../../src/io/node-png.ts';
import { SAMPLE_PLAN, type Sample, sampleFile, samples as studies } from '../src/samples.ts';

/** The bytes of view number `view` of a sample. */
async function render({ study: index }: Sample, view: number): Promise<Uint8Array> {
  const study = planPhantom(SAMPLE_PLAN)[index] as PhantomStudy;
  const { width, height, grey } = renderPhantom(study, view, SAMPLE_PLAN.size);
  return encodeNodePng({ width, height, channels: 1, data: grey });
}

const pictures = studies.flatMap((sample) =>
  Array.from({ length: sample.views }, (_, view) => ({
    file: sampleFile(sample, view),
    bytes: () => render(sample, view),
  })),
);

/** Draws the sample studies with the phantom generator: files of the build, answers of the development server. */
export const samples = (): Plugin => ({
  name: 'murad:samples',
  configureServer(server) {
    server.middlewares.use(async (request, response, next) => {
      const found = pictures.find(({ file }) => request.url?.endsWith(file));
      if (!found) return next();
      response.setHeader('Content-Type', 'image/png');
      response.end(await found.bytes());
    });
  },
  async generateBundle() {
    for (const { file, bytes } of pictures) this.emitFile({ type: 'asset', fileName: file, source: await bytes() });
  },
});
