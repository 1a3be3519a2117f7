import { UserError } from '../base/errors.ts';
import type { Prediction } from './metrics.ts';

/** The predictions of one split, image by image. */
export interface PredictionsFile {
  readonly split: string;
  /** Paths relative to the data set's folder, one a prediction. */
  readonly images: readonly string[];
  readonly predictions: readonly Prediction[];
}

const HEADER = 'image,label,probability,split';

/** A field of a CSV file (RFC 4180). */
const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);

/** The text of a predictions.csv: a line an image, probabilities to the last digit. */
export function formatPredictions({ split, images, predictions }: PredictionsFile): string {
  const rows = predictions.map(
    ({ label, probability }, index) => `${quoted(images[index] ?? '')},${label},${probability},${split}\n`,
  );
  return `${HEADER}\n${rows.join('')}`;
}

/** Reads a predictions.csv; throws a UserError that names file and line where it is none. */
export function parsePredictions(file: string, text: string): PredictionsFile {
  const [header, ...lines] = text.trimEnd().split(/\r?\n/);
  if (header !== HEADER || lines.length === 0) {
    throw new UserError(`${file}: expected predictions under the line "${HEADER}"; make it again with murad evaluate`);
  }
  const rows = lines.map((line, index) => parseRow(line, `${file}, line ${index + 2}`));
  const [first] = rows;
  const other = rows.findIndex(({ split }) => split !== first?.split);
  if (other > 0) throw new UserError(`${file}, line ${other + 2}: another split than the lines before`);
  return {
    split: first?.split ?? '',
    images: rows.map(({ image }) => image),
    predictions: rows.map(({ prediction }) => prediction),
  };
}

/** A line whose image lies as MURA's do: SPLIT/REGION/PATIENT/STUDY/FILE. */
function parseRow(line: string, at: string): { image: string; split: string; prediction: Prediction } {
  const [, field = '', label, probability, split = ''] = /^(.*),([01]),(\d[\d.]*(?:e-\d+)?),(\w+)$/.exec(line) ?? [];
  const image = unquoted(field);
  const [, region, patient, study, name, ...more] = image.split('/');
  if (!region || !patient || !study || !name || more.length > 0 || !(Number(probability) <= 1)) {
    throw new UserError(`${at}: got ${JSON.stringify(line)}, expected ${HEADER}`);
  }
  const prediction: Prediction = {
    region,
    patient,
    study: image.slice(0, image.lastIndexOf('/')),
    label: label === '1' ? 1 : 0,
    probability: Number(probability),
  };
  return { image, split, prediction };
}
