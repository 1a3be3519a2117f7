import { UserError } from '../base/errors.ts';
import type { FileSystem } from '../base/files.ts';

export type SplitName = 'train' | 'valid';

export interface ImageRecord {
  /** Relative to the data set's folder: `train/XR_WRIST/patient00001/study1_positive/image1.png`. */
  path: string;
  /** `XR_WRIST` and the like. */
  region: string;
  patient: string;
  /** Index into the split's studies. */
  study: number;
  /** 1 is abnormal. */
  label: 0 | 1;
}

export interface StudyRecord {
  /** The folder of its images, relative to the data set's folder, without a slash at the end. */
  path: string;
  region: string;
  patient: string;
  label: 0 | 1;
  /** Indices into the split's images. */
  images: number[];
}

export interface Split {
  name: SplitName;
  images: ImageRecord[];
  studies: StudyRecord[];
}

/** A split as its CSV files list it, with what was passed over or is odd, a line each. */
export interface SplitIndex {
  split: Split;
  problems: string[];
}

export interface MuraIndex {
  train: Split;
  valid: Split;
  problems: string[];
}

/** One line of a CSV file; `at` names file and line for messages. */
interface Line {
  text: string;
  at: string;
}

const LAYOUT = 'train_image_paths.csv, train_labeled_studies.csv, valid_image_paths.csv, valid_labeled_studies.csv';

/** The CSV files of a split: image paths first, labelled studies second. */
export function splitFiles(name: SplitName): [string, string] {
  return [`${name}_image_paths.csv`, `${name}_labeled_studies.csv`];
}

async function readLines(files: FileSystem, directory: string, name: string): Promise<Line[]> {
  const path = `${directory}/${name}`;
  if (!(await files.exists(path))) {
    throw new UserError(`${directory} has no ${name}: expected a folder in MURA's layout (${LAYOUT})`);
  }
  const lines = (await files.readText(path)).split(/\r\n|\n|\r/);
  return lines
    .map((text, index) => ({ text: text.trim(), at: `${path}, line ${index + 1}` }))
    .filter((line) => line.text !== '');
}

/** The components of a path below the data set's own folder name, which is dropped; `depth` of them are expected. */
function components(path: string, depth: number, line: Line, expected: string): string[] {
  const parts = path.split('/');
  if (parts.length !== depth + 1 || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new UserError(`${line.at}: got ${JSON.stringify(line.text)}, expected ${expected}`);
  }
  return parts.slice(1);
}

function parseStudy(line: Line): StudyRecord {
  const expected = "a study's folder and its label, like MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/,1";
  const match = /^(.*?)\/?\s*,\s*([01])$/.exec(line.text);
  if (!match) throw new UserError(`${line.at}: got ${JSON.stringify(line.text)}, expected ${expected}`);
  const parts = components(match[1] as string, 4, line, expected);
  const [, region, patient] = parts as [string, string, string, string];
  return { path: parts.join('/'), region, patient, label: match[2] === '1' ? 1 : 0, images: [] };
}

function readStudies(
  lines: readonly Line[],
  problems: string[],
): { studies: StudyRecord[]; lineOf: Map<string, Line> } {
  const byPath = new Map<string, StudyRecord>();
  const lineOf = new Map<string, Line>();
  for (const line of lines) {
    const study = parseStudy(line);
    const known = byPath.get(study.path);
    if (known && known.label !== study.label) {
      throw new UserError(`${line.at}: study ${study.path} has label ${study.label} here and ${known.label} before`);
    }
    if (known) problems.push(`${line.at}: study ${study.path} is listed twice, counted once`);
    else {
      byPath.set(study.path, study);
      lineOf.set(study.path, line);
    }
  }
  return { studies: [...byPath.values()], lineOf };
}

function addImages(
  lines: readonly Line[],
  studies: StudyRecord[],
  studiesFile: string,
  problems: string[],
): ImageRecord[] {
  const studyOf = new Map(studies.map((study, index) => [study.path, index]));
  const images = new Map<string, ImageRecord>();
  for (const line of lines) {
    const expected = "an image's path, like MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/image1.png";
    const parts = components(line.text, 5, line, expected);
    if (parts.at(-1)?.startsWith('._')) continue;
    const path = parts.join('/');
    const index = studyOf.get(parts.slice(0, -1).join('/'));
    const study = index === undefined ? undefined : studies[index];
    if (index === undefined || !study) {
      throw new UserError(`${line.at}: the study of image ${path} has no label: add it to ${studiesFile}`);
    }
    if (images.has(path)) {
      problems.push(`${line.at}: image ${path} is listed twice, counted once`);
      continue;
    }
    study.images.push(images.size);
    images.set(path, { path, region: study.region, patient: study.patient, study: index, label: study.label });
  }
  return [...images.values()];
}

/**
 * Reads one split of a folder in MURA's layout, in the order of its CSV files. Throws a UserError of one line that names
 * file and line for a missing CSV file, a line that cannot be read, an image without a labelled study, a study without
 * images.
 */
export async function readSplit(files: FileSystem, directory: string, name: SplitName): Promise<SplitIndex> {
  const problems: string[] = [];
  const [imagesFile, studiesFile] = splitFiles(name);
  const imageLines = await readLines(files, directory, imagesFile);
  const { studies, lineOf } = readStudies(await readLines(files, directory, studiesFile), problems);
  if (studies.length === 0) throw new UserError(`${directory}/${studiesFile} is empty: expected a study a line`);
  const images = addImages(imageLines, studies, studiesFile, problems);
  const empty = studies.find((study) => study.images.length === 0);
  if (empty) {
    throw new UserError(`${lineOf.get(empty.path)?.at}: study ${empty.path} has no image in ${imagesFile}`);
  }
  return { split: { name, images, studies }, problems };
}

/** The split without some of its images, and without the studies that have no image left; indices are renewed. */
export function withoutImages(split: Split, dropped: ReadonlySet<number>): Split {
  if (dropped.size === 0) return split;
  const kept = split.images.filter((_, index) => !dropped.has(index));
  const used = new Set(kept.map((image) => image.study));
  const studies: StudyRecord[] = [];
  const renumbered = split.studies.map((study, index) => {
    return used.has(index) ? studies.push({ ...study, images: [] }) - 1 : -1;
  });
  const images = kept.map((image, index) => {
    const study = renumbered[image.study] as number;
    studies[study]?.images.push(index);
    return { ...image, study };
  });
  return { name: split.name, images, studies };
}

function sample(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, ...` : names.join(', ');
}

/** Reads both splits. A study listed in both is kept in the validation split only, lest a network be tested on it. */
export async function readMura(files: FileSystem, directory: string): Promise<MuraIndex> {
  const train = await readSplit(files, directory, 'train');
  const valid = await readSplit(files, directory, 'valid');
  const problems = [...train.problems, ...valid.problems];
  const held = new Set(valid.split.studies.map((study) => study.path));
  const shared = train.split.studies.filter((study) => held.has(study.path));
  if (shared.length > 0) {
    const names = sample(shared.map((study) => study.path));
    problems.push(`studies in both splits, left out of train: ${shared.length} (${names})`);
  }
  const split = withoutImages(train.split, new Set(shared.flatMap((study) => study.images)));
  if (split.images.length === 0) throw new UserError(`${directory}: every study of train is in valid too`);
  const patients = new Set(split.studies.map((study) => study.patient));
  const both = [...new Set(valid.split.studies.map((study) => study.patient))].filter((name) => patients.has(name));
  if (both.length > 0) problems.push(`patients in both train and valid: ${both.length} (${sample(both)})`);
  return { train: split, valid: valid.split, problems };
}
