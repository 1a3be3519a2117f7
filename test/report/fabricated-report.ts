import { parseHTML } from 'linkedom';
import { encodeNodePng } from '../../src/io/node-png.ts';
import { comparisonReport } from '../../src/report/comparison-report.ts';
import { type RunReport, runReport } from '../../src/report/run-report.ts';
import { bootstrap } from '../../src/train/bootstrap.ts';
import { calibrate } from '../../src/train/calibration.ts';
import { compareRuns } from '../../src/train/comparison.ts';
import type { MeasuredRun } from '../../src/train/measured-run.ts';
import { readMeasuredRuns } from '../../src/train/measured-run.ts';
import { evaluate } from '../../src/train/metrics.ts';
import { publishedRegions } from '../../src/train/published.ts';
import { memoryFiles } from '../data/memory-files.ts';
import { fabricateRun } from '../train/fabricated-run.ts';

const OPTIONS = { seed: 0, resamples: 50 };
const document = (): Document => parseHTML('<!doctype html><html><body></body></html>').document;

export interface Names {
  readonly run: string;
  readonly region: string;
  /** Put at the end of every file's name. */
  readonly suffix: string;
}

export const PLAIN: Names = { run: 'runs/one', region: 'XR_WRIST', suffix: '' };

/** Names that break out of elements, attributes, comments and style sheets where they are not escaped. */
export const HOSTILE: Names = {
  run: `r"><script>alert(1)</script>`,
  region: `XR_</svg></style><img src=x onerror=alert(1)>`.replaceAll('/', '\u2215'),
  suffix: `' onload='alert(1)"><img src=x onerror=alert(2)>`,
};

async function measuredRuns({ run, region, suffix }: Names): Promise<MeasuredRun[]> {
  const common = { regions: ['XR_ELBOW', region], suffix, patients: 60 };
  const runs: Record<string, Record<string, string>> = {
    [run]: fabricateRun({ ...common, model: 'densenet121', skill: 1.5, seed: 1 }),
    [`${run}-2`]: fabricateRun({ ...common, model: 'resnet34', skill: 1, seed: 2 }),
  };
  const files = Object.entries(runs).flatMap(([path, own]) =>
    Object.entries(own).map(([name, text]) => [`${path}/${name}`, text]),
  );
  return readMeasuredRuns(memoryFiles(Object.fromEntries(files)), Object.keys(runs));
}

/** What a report is made of: a run of made-up images, the first two of them as mistakes. */
export async function fabricateReport(names: Names): Promise<RunReport> {
  const [run] = await measuredRuns(names);
  if (!run) throw new Error('no run');
  const { predictions, history, images, path } = run;
  const png = await encodeNodePng({ width: 24, height: 30, channels: 1, data: new Uint8Array(24 * 30).fill(90) });
  const base64 = Buffer.from(png).toString('base64');
  return {
    title: `DenseNet 121, 64 px, valid split of ${path}`,
    facts: [['run', path]],
    evaluation: evaluate(predictions),
    intervals: bootstrap(predictions, OPTIONS),
    calibration: calibrate(predictions),
    predictions,
    history,
    published: publishedRegions('densenet121'),
    mistakes: images.slice(0, 2).map((image, index) => ({
      image,
      label: index as 0 | 1,
      probability: 0.97 - index * 0.96,
      picture: base64,
      overlay: base64,
    })),
    mapNote: 'the class activation map',
  };
}

export const runPage = async (names: Names): Promise<string> => runReport(await fabricateReport(names), document());

export async function comparisonPage(names: Names): Promise<string> {
  const runs = await measuredRuns(names);
  return comparisonReport(compareRuns(runs, OPTIONS), runs, document());
}

export const pageOf = (report: RunReport): string => runReport(report, document());
