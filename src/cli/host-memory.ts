import { totalmem } from 'node:os';

/** The rest is for the images, which lie in memory too, and for the system. */
const SHARE = 1 / 2;

/** Bytes that a software adapter may take: half of this machine's memory, or of what the process is limited to. */
export function softwareMemory(): number {
  // Without a limit Node gives 0, or more than there is.
  return SHARE * Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
