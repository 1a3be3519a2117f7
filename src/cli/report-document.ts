import { parseHTML } from 'linkedom';

/** A document to build a report's charts with. */
export const reportDocument = (): Document => parseHTML('<!doctype html><html><body></body></html>').document;
