import type { PhantomStudy, Split } from './plan.ts';
import type { PhantomBox } from './render.ts';

/** An image to be rendered, and its path as the CSV files write it: it begins with the data set's folder name. */
export interface PhantomImageFile {
  readonly path: string;
  readonly study: PhantomStudy;
  readonly view: number;
}

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

const SPLITS: readonly Split[] = ['train', 'valid'];

/** Folder of a study as MURA names it, without a slash at the end. */
function studyFolder(name: string, study: PhantomStudy): string {
  const patient = `patient${String(study.patient).padStart(5, '0')}`;
  const label = study.label === 1 ? 'positive' : 'negative';
  return `${name}/${study.split}/${study.region}/${patient}/study${study.study}_${label}`;
}

/** The images of the studies, in order; `name` is the data set's folder name. */
export function phantomImageFiles(name: string, studies: readonly PhantomStudy[]): PhantomImageFile[] {
  return studies.flatMap((study) =>
    Array.from({ length: study.views }, (_, view) => ({
      path: `${studyFolder(name, study)}/image${view + 1}.png`,
      study,
      view,
    })),
  );
}

/** MURA's four CSV files; paths begin with the data set's folder name, as the images' do. */
export function phantomIndexFiles(name: string, studies: readonly PhantomStudy[]): TextFile[] {
  return SPLITS.flatMap((split) => {
    const own = studies.filter((study) => study.split === split);
    const images = phantomImageFiles(name, own).map(({ path }) => `${path}\n`);
    const labels = own.map((study) => `${studyFolder(name, study)}/,${study.label}\n`);
    return [
      { path: `${name}/${split}_image_paths.csv`, text: images.join('') },
      { path: `${name}/${split}_labeled_studies.csv`, text: labels.join('') },
    ];
  });
}

/** boxes.csv: where the abnormalities are, in pixels. `boxes` gives the boxes of each image, in the images' order. */
export function phantomBoxesFile(
  name: string,
  images: readonly PhantomImageFile[],
  boxes: readonly (readonly PhantomBox[])[],
): TextFile {
  const lines = images.flatMap(({ path }, index) =>
    (boxes[index] ?? []).map((box) => `${path},${box.x},${box.y},${box.width},${box.height},${box.kind}\n`),
  );
  return { path: `${name}/boxes.csv`, text: `image,x,y,width,height,kind\n${lines.join('')}` };
}
