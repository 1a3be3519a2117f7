import { figure } from '../base/figures.ts';
import { isStoppedEarly, type LoopEvents, type Stopping } from '../train/loop.ts';
import { type EpochMetrics, type RunProgress, whereItStands } from '../train/run-state.ts';
import { fixed } from '../train/score-text.ts';
import type { Context, Output, Progress } from './command.ts';

const lossText = (loss: number): string => (Math.abs(loss) < 1e6 ? loss.toFixed(4) : loss.toExponential(4));

function scores({ valid_loss: loss, images, studies }: EpochMetrics): string {
  return `valid loss ${lossText(loss)}, images AUC ${fixed(images.auc)}, studies kappa ${fixed(studies.kappa)}`;
}

/** Tells on stderr what the training loop does: progress that passes, an epoch a line. */
export class TrainReport implements Omit<LoopEvents, 'save'> {
  readonly #context: Context;
  readonly #epochs: number;
  #label = '';
  #progress: Progress | undefined;

  constructor(context: Context, epochs: number) {
    this.#context = context;
    this.#epochs = epochs;
  }

  onStep = ({ epoch, done, images, loss }: Parameters<NonNullable<LoopEvents['onStep']>>[0]): void =>
    this.#show(`epoch ${epoch}/${this.#epochs}`, done, images, done > 0 ? `loss ${lossText(loss)}` : undefined);

  onValidation = (done: number, total: number): void => this.#show('validating', done, total);

  onEpoch = ({ history, schedule }: RunProgress, improved: boolean): void => {
    this.end();
    const last = history.at(-1);
    if (!last) return;
    const { epoch, train_loss: loss, learning_rate: rate } = last;
    const speed = `${figure(last.images_per_s)} images/s${improved ? ', best so far' : ''}`;
    this.#context.note(`epoch ${epoch}/${this.#epochs}: train loss ${lossText(loss)}, ${scores(last)}, ${speed}`);
    if (schedule.learningRate !== rate) {
      this.#context.note(
        `no better validation loss: learning rate ${Number(schedule.learningRate.toPrecision(6))} from now on`,
      );
    }
  };

  /** Ends what is being drawn. */
  end(): void {
    this.#progress?.end();
    this.#progress = undefined;
    this.#label = '';
  }

  #show(label: string, done: number, total: number, detail?: string): void {
    if (label !== this.#label) {
      this.end();
      this.#progress = this.#context.progress(label, 'images', { passing: true });
      this.#label = label;
    }
    this.#progress?.update(done, total, detail);
  }
}

/** What is printed of a run that has ended. */
export function summary(path: string, progress: RunProgress, stopping: Stopping): Output {
  const { epochs, earlyStop } = stopping;
  const best = progress.history.find(({ epoch }) => epoch === progress.best?.epoch);
  const lines = [best ? `best epoch ${best.epoch}: ${scores(best)}` : 'no epoch is complete', `run folder: ${path}`];
  if (isStoppedEarly(progress, stopping)) {
    lines.push(`ended early: ${earlyStop} epochs without a better one; a larger --early-stop goes on`);
  } else if (progress.epoch < epochs)
    lines.push(`${progress.epoch} of ${epochs} epochs are complete; go on with ${resumeCommand(path)}`);
  return { json: { run: path, epochs: progress.epoch, best: best ?? null }, text: lines.join('\n') };
}

/** A line on where a resumed run stands. */
export function whereItGoesOn(path: string, { epoch, batch }: RunProgress, epochs: number): string {
  if (epoch >= epochs) return `${path}: all ${epochs} epochs are complete; a larger --epochs asks for more`;
  return `going on with ${path} from epoch ${epoch + 1}${batch > 0 ? `, step ${batch + 1}` : ''}`;
}

/** What a run folder keeps of a run that failed, and what to do. */
export function keptBy(path: string, saved: RunProgress | undefined): string {
  const stands = saved && whereItStands(saved);
  return stands ? `the run folder keeps ${stands}; go on with ${resumeCommand(path)}` : 'nothing is saved yet';
}

export const resumeCommand = (path: string): string => `murad train --resume ${path}`;
