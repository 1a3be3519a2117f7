import { DeviceLostError } from '../base/errors.ts';
import type { Device } from '../gpu/device.ts';

/** Losses of the device in a row, with nothing saved between them, that a run bears. */
const BORNE = 3;

/** A run that outlives its device. */
export interface Recoverable<O, T> {
  /** Opens the device, or the same adapter's anew. */
  open(): Promise<O>;
  /** Runs, from what is saved where it is `again`. */
  attempt(opened: O, again: boolean): Promise<T>;
  /** A number that every save makes larger. */
  saved(): number;
  onLoss(): void;
}

/** Attempts a run, again from its last save where the device is lost; gives up where that happens too often. */
export async function outlivingDevice<O extends { readonly device: Pick<Device, 'isLost' | 'destroy'> }, T>(
  run: Recoverable<O, T>,
): Promise<T> {
  let before = run.saved();
  for (let losses = 0; ; ) {
    const opened = await run.open();
    try {
      return await run.attempt(opened, losses > 0);
    } catch (error) {
      // Whatever fails on a lost device fails because of that.
      if (!(await opened.device.isLost())) throw error;
      opened.device.destroy();
      losses = run.saved() === before ? losses + 1 : 1;
      before = run.saved();
      if (losses > BORNE) {
        throw new DeviceLostError(`the GPU device was lost ${losses} times with nothing saved between`, {
          cause: error,
        });
      }
      run.onLoss();
    }
  }
}
