#!/usr/bin/env node
import { runCommandLine, tellUncaught } from './command-line.ts';

// A reader such as `head` has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.on('uncaughtException', (error) => {
  tellUncaught(error, process);
  process.exit(1);
});
const code = await runCommandLine(process.argv.slice(2), process);
// Live GPU objects can keep Node running: the process ends here, once its output is out.
process.stdout.write('', () => process.exit(code));
