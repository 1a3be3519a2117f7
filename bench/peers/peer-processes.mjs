// Starts the peers and talks with them, one at a time.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const scriptOf = (name) => fileURLToPath(new URL(name, import.meta.url));
/** What Dawn and ONNX Runtime say at every start. */
const CHATTER = /^Warning: maxDynamic/;

/** A Python with PyTorch and torchvision, and whether it has a CUDA GPU. */
export function findPython() {
  const probe = 'import torch, torchvision; print(torch.cuda.is_available())';
  for (const command of ['python3', '/usr/bin/python3']) {
    const { status, stdout } = spawnSync(command, ['-c', probe], { encoding: 'utf8' });
    if (status === 0) return { command, cuda: stdout.trim() === 'True' };
  }
  return undefined;
}

/** What the last lines of a process say went wrong. */
function faultOf(lines) {
  if (lines.some((line) => line.includes('ERR_MODULE_NOT_FOUND'))) {
    return 'a package is missing: npm --prefix bench/peers ci --ignore-scripts';
  }
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? 'it says nothing').trim();
}

/** A running peer; `ask` resolves to its answer, and rejects where it ends instead. */
async function startPeer(name, command, script, config, note) {
  const child = spawn(command, [scriptOf(script), JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'pipe'] });
  const faults = [];
  let waiting;
  let ended;
  const answers = createInterface({ input: child.stdout });
  answers.on('line', (line) => {
    if (line.startsWith('@')) waiting?.resolve(JSON.parse(line.slice(1)));
    else note(`${name}: ${line}`);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!CHATTER.test(line)) faults.push(line);
  });
  const fail = (error) => {
    ended ??= error;
    waiting?.reject(ended);
  };
  child.on('close', (code) => fail(new Error(`ended with code ${code}: ${faultOf(faults)}`)));
  child.on('error', fail);
  child.stdin.on('error', () => {});
  const answer = () =>
    new Promise((resolve, reject) => {
      if (ended) reject(ended);
      else waiting = { resolve, reject };
    });
  const about = await answer();
  return {
    name,
    about,
    ask(request) {
      const promise = answer();
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return promise;
    },
    end() {
      waiting = undefined;
      child.kill();
    },
  };
}

/** Every peer that there may be; `murad` comes first. `precise`: computes in f32 throughout. */
function candidates(python) {
  const node = process.execPath;
  const modes = python ? (python.cuda ? ['fp32', 'tf32', 'amp'] : ['cpu']) : [];
  return [
    { name: 'murad', command: node, script: 'ours.mjs' },
    { name: 'tfjs webgpu', command: node, script: 'tfjs.mjs' },
    { name: 'onnxruntime webgpu', command: node, script: 'onnxruntime.mjs', extra: { provider: 'webgpu' } },
    { name: 'onnxruntime cpu', command: node, script: 'onnxruntime.mjs', extra: { provider: 'cpu' } },
    ...modes.map((mode) => ({
      name: `pytorch ${mode}`,
      command: python?.command,
      script: 'pytorch.py',
      extra: { mode },
    })),
  ];
}

/** Starts the peers, one after the other. One that cannot be is left out and said so; without murad it throws. */
export async function startPeers(config, { python, only, note }) {
  const peers = [];
  const leftOut = [];
  const wanted = candidates(python).filter(
    ({ name }) => name === 'murad' || !only || only.some((one) => name.includes(one)),
  );
  for (const { name, command, script, extra = {} } of wanted) {
    const adapterKind = peers[0]?.about.kind;
    try {
      peers.push(await startPeer(name, command, script, { ...config, ...extra, adapterKind }, note));
    } catch (error) {
      if (name === 'murad') throw error;
      leftOut.push({ name, reason: error.message });
      note(`left out: ${name}: ${error.message}`);
    }
  }
  if (!python) leftOut.push({ name: 'pytorch', reason: 'no python3 with torch and torchvision' });
  return { peers, leftOut };
}
