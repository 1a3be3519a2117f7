import { browserFiles } from '../../src/io/browser.ts';

const FOLDER = 'weights';

async function isKept(name: string, bytes: Uint8Array): Promise<boolean> {
  const kept = await browserFiles.readBytes(`${FOLDER}/${name}`);
  return kept.length === bytes.length && kept.every((byte, at) => byte === bytes[at]);
}

/** The person's own weights files, kept in the browser's storage for this page. */
export const weightsStore = {
  async list(): Promise<string[]> {
    return (await browserFiles.exists(FOLDER)) ? browserFiles.list(FOLDER) : [];
  },
  /** Under which name a file is kept: its own, with a number where another file is kept under that. */
  async nameFor(own: string, bytes: Uint8Array): Promise<string> {
    const kept = await this.list();
    const [, stem = '', extension = ''] = /^(.*?)(\.[^.]*)?$/.exec(own) ?? [];
    for (let number = 1; ; number++) {
      const name = number === 1 ? own : `${stem} (${number})${extension}`;
      if (!kept.includes(name) || (await isKept(name, bytes))) return name;
    }
  },
  read: (name: string): Promise<Uint8Array> => browserFiles.readBytes(`${FOLDER}/${name}`),
  async keep(name: string, bytes: Uint8Array): Promise<void> {
    await browserFiles.makeDirectory(FOLDER);
    await browserFiles.writeAtomic(`${FOLDER}/${name}`, bytes);
  },
  remove: (name: string): Promise<void> => browserFiles.remove(`${FOLDER}/${name}`),
};
