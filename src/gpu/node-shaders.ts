import { readFile } from 'node:fs/promises';
import type { ShaderLoader } from './shader.ts';

/** Reads shaders from the package's shaders/ folder. */
export const loadShader: ShaderLoader = (path) => readFile(new URL(`../../shaders/${path}`, import.meta.url), 'utf8');
