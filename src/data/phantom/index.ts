export { phantomBoxesFile, phantomImageFiles, phantomIndexFiles } from './files.ts';
export { type PhantomOptions, type PhantomStudy, planPhantom } from './plan.ts';
export { type PhantomBox, renderPhantom } from './render.ts';
