import type { KernelResult } from '../../src/bench/kernels.ts';
import type { PeakFigures } from '../../src/bench/roofline.ts';
import type { StepResult } from '../../src/bench/step.ts';

/** What every figure is to be read with, as the command writes it; a browser tells less. */
export interface BrowserConditions {
  /** ISO 8601. */
  readonly date: string;
  readonly version: string;
  readonly adapter: string;
  readonly kind: string;
  readonly driver: string;
  readonly browser: string;
  readonly platform: string;
  readonly cores: number;
  readonly features: readonly string[];
}

/** What `bench kernels --out` writes. */
export interface KernelReport {
  readonly conditions: BrowserConditions;
  readonly image_size: number | null;
  readonly batch_size: number;
  readonly rounds: number;
  readonly peaks: PeakFigures;
  readonly kernels: readonly KernelResult[];
}

/** Inference at one size, as `bench step` writes it. */
export interface StepReport extends Omit<StepResult, 'moved_bytes'> {
  readonly image_size: number;
  readonly batch_size: number;
  readonly gflops: number;
}
