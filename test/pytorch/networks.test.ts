import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { models } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import { readWeights } from '../../src/weights/state-dict.ts';
import { murad } from '../cli/murad.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { compareValues, outside } from '../models/compare.ts';
import { evaluate, type Fixture } from '../models/fixture.ts';
import { inThisRun } from '../models/tier.ts';
import { describeWithPyTorch } from '../support/adapter.ts';
import { formulaInput } from '../support/formula.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { usePyTorch } from './pytorch.ts';

/** A VGG's files hold half a gigabyte each. */
const TIMEOUT = 10 * 60_000;

/** The logits of a weights file, and the model's state as the engine writes it. */
async function runEngine(device: Device, definition: ModelDefinition, fixture: Fixture, file: string) {
  const model = new Model(device, definition, { initialise: false });
  try {
    const loaded = model.load(file, readWeights(file, readFileSync(file)));
    const shape = fixture.input_shape;
    const { program, logits } = await evaluate(model, formulaInput(shape, fixture.eval.input_key), shape);
    const values = [...new Float32Array(await program.read(logits))];
    program.destroy();
    return { loaded, logits: values, written: writeSafetensors(await model.stateDict()) };
  } finally {
    model.destroy();
  }
}

describeWithPyTorch("torch.save, weights convert, the engine and PyTorch's load_state_dict with strict=True", () => {
  const device = useDevice();
  const pytorch = usePyTorch();
  const folder = temporaryFolder();

  test.each(inThisRun('loading in PyTorch', models))('$name', { timeout: TIMEOUT }, async (definition) => {
    const { name } = definition;
    const fixture = readGolden<Fixture>(`networks/${name}.json.gz`);
    const [saved, converted, written] = ['saved.pth', 'converted.safetensors', 'written.safetensors'] as const;
    const file = (one: string) => join(folder, one);
    const { logits: expected } = await pytorch().ask('save', { model: name, file: file(saved) });
    expect(await murad(folder, 'weights', 'convert', saved, converted)).toMatchObject({ code: 0, stderr: [] });
    rmSync(file(saved));
    const engine = await runEngine(device(), definition, fixture, file(converted));
    expect(engine.loaded).toMatchObject({ fresh: [], notes: [] });
    const row = compareValues('logits', engine.logits, expected, fixture.eval.noise.logits);
    console.log(
      `${name}: ${row.checks.map(({ error, tolerance }) => (error / tolerance).toPrecision(2))} of the tolerance`,
    );
    expect(outside([row])).toEqual([]);
    writeFileSync(file(written), engine.written);
    // The same bits: the logits are those of the model that was saved.
    const same = { keys: engine.loaded.tensors.size, differing: [], logits: expected };
    for (const one of [converted, written]) {
      expect(await pytorch().ask('load', { file: file(one) })).toEqual(same);
      rmSync(file(one));
    }
  });
});
