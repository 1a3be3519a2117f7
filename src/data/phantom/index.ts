export type { AbnormalityKind } from './abnormalities.ts';
export {
  type PhantomImageFile,
  phantomBoxesFile,
  phantomImageFiles,
  phantomIndexFiles,
  studyFolder,
  type TextFile,
} from './files.ts';
export { type PhantomOptions, type PhantomStudy, planPhantom, type Split } from './plan.ts';
export { REGIONS, type Region } from './regions.ts';
export { type PhantomBox, type PhantomImage, renderPhantom } from './render.ts';
