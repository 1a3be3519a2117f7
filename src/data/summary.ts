import type { FileSystem } from '../base/files.ts';
import { type ImageRecord, type MuraIndex, readMura, readSplit, type SplitName, splitFiles } from './mura.ts';
import { type FailedImage, type ImageFacts, type ImageReader, isFailed, type OnProgress } from './packed.ts';

/** How many studies, or images, are normal and abnormal. */
export interface Counts {
  train: { normal: number; abnormal: number };
  valid: { normal: number; abnormal: number };
  total: number;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** What a data set holds (Table 2 of the paper) and what is wrong with its files. */
export interface DatasetSummary {
  directory: string;
  /** By region, and over all regions under `all`. */
  studies: Record<string, Counts>;
  images: Record<string, Counts>;
  /** Pixels, over the images that can be read; undefined where there are none. */
  width: Spread | undefined;
  height: Spread | undefined;
  grey: number;
  rgb: number;
  /** Listed in the CSV files, not in the folder. */
  missing: string[];
  /** In the folder, not listed in the CSV files. */
  unlisted: string[];
  undecodable: FailedImage[];
  /** What the CSV files repeat or what is in both splits. */
  problems: string[];
}

interface Labelled {
  region: string;
  label: 0 | 1;
}

type Tables = Record<SplitName, readonly Labelled[]>;

function countByRegion(tables: Tables): Record<string, Counts> {
  const records = [...tables.train, ...tables.valid];
  const regions = [...new Set(records.map((record) => record.region))].sort();
  const count = (region: string): Counts => {
    const of = (split: SplitName, label: 0 | 1) =>
      tables[split].filter((one) => one.label === label && (region === 'all' || one.region === region)).length;
    const train = { normal: of('train', 0), abnormal: of('train', 1) };
    const valid = { normal: of('valid', 0), abnormal: of('valid', 1) };
    return { train, valid, total: train.normal + train.abnormal + valid.normal + valid.abnormal };
  };
  return Object.fromEntries([...regions, 'all'].map((region) => [region, count(region)]));
}

function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] as number;
  const last = sorted.length - 1;
  return { min: at(0), median: (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2, max: at(last) };
}

/** All files below `directory`, relative to it; names beginning with a dot are passed over. */
async function walk(files: FileSystem, directory: string, below: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await files.list(`${directory}/${below}`)) {
    if (name.startsWith('.')) continue;
    if (name.endsWith('/')) found.push(...(await walk(files, directory, below + name)));
    else found.push(below + name);
  }
  return found;
}

/** Reads the splits whose CSV files are there; a folder with neither is the error of a missing training list. */
async function readWhatIsThere(files: FileSystem, directory: string): Promise<MuraIndex> {
  const has = (name: SplitName) =>
    Promise.all(splitFiles(name).map((file) => files.exists(`${directory}/${file}`))).then((found) =>
      found.some(Boolean),
    );
  const hasTrain = await has('train');
  const hasValid = await has('valid');
  if (hasTrain === hasValid) return readMura(files, directory);
  const name = hasTrain ? 'train' : 'valid';
  const { split, problems } = await readSplit(files, directory, name);
  const empty = { images: [], studies: [] };
  return { train: { name: 'train', ...empty }, valid: { name: 'valid', ...empty }, problems, [name]: split };
}

/** Looks at every file of a folder in MURA's layout: reads its lists, walks its folders, decodes its images. */
export async function summarizeDataset(
  files: FileSystem,
  directory: string,
  read: ImageReader,
  onProgress?: OnProgress,
): Promise<DatasetSummary> {
  const { train, valid, problems } = await readWhatIsThere(files, directory);
  const listed = [...train.images, ...valid.images].map((image: ImageRecord) => image.path);
  const found = new Set<string>();
  for (const folder of new Set(listed.map((path) => path.slice(0, path.indexOf('/') + 1)))) {
    if (!(await files.exists(`${directory}/${folder}`))) continue;
    for (const path of await walk(files, directory, folder)) found.add(path);
  }
  const known = new Set(listed);
  const present = listed.filter((path) => found.has(path));
  const results = await read(directory, present, onProgress);
  const readable = results.filter((result): result is ImageFacts => !isFailed(result));
  return {
    directory,
    studies: countByRegion({ train: train.studies, valid: valid.studies }),
    images: countByRegion({ train: train.images, valid: valid.images }),
    width: spread(readable.map((image) => image.width)),
    height: spread(readable.map((image) => image.height)),
    grey: readable.filter((image) => image.channels === 1).length,
    rgb: readable.filter((image) => image.channels === 3).length,
    missing: listed.filter((path) => !found.has(path)),
    unlisted: [...found].filter((path) => !known.has(path)),
    undecodable: results.filter(isFailed),
    problems,
  };
}
