import { expect, test } from 'vitest';
import { openDevice } from '../../src/cli/session.ts';

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'an adapter without f16 says so in one line and goes on in f32',
  async () => {
    const notes: string[] = [];
    const context = {
      note: (line: string) => notes.push(line),
      progress: () => ({ update: () => {}, end: () => {} }),
      isGiven: () => false,
      interruption: () => new AbortController().signal,
    };
    const { device } = await openDevice('embedded', context, 'f16');
    expect(device.traits.storesHalves).toBeUndefined();
    expect(notes).toHaveLength(2);
    expect(notes[1]).toMatch(/^swiftshader\S* has no shader-f16, which --precision f16 needs: f32 is used instead$/i);
    device.destroy();
  },
);
