import { browserFiles } from '../../src/io/browser.ts';

const FOLDER = 'weights';

/** The person's own weights files, kept in the browser's storage for this page. */
export const weightsStore = {
  async list(): Promise<string[]> {
    return (await browserFiles.exists(FOLDER)) ? browserFiles.list(FOLDER) : [];
  },
  read: (name: string): Promise<Uint8Array> => browserFiles.readBytes(`${FOLDER}/${name}`),
  async keep(name: string, bytes: Uint8Array): Promise<void> {
    await browserFiles.makeDirectory(FOLDER);
    await browserFiles.writeAtomic(`${FOLDER}/${name}`, bytes);
  },
  remove: (name: string): Promise<void> => browserFiles.remove(`${FOLDER}/${name}`),
};
