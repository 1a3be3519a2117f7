import { required } from '../../../src/base/errors.ts';
import type { ShaderLoader } from '../../../src/gpu/shader.ts';

const ROOT = '../../../shaders/';

const texts = import.meta.glob<string>('../../../shaders/**/*.wgsl', { query: '?raw', import: 'default', eager: true });

/** The shaders that Node reads from the folder, as they are bundled. */
export const loadShader: ShaderLoader = async (path) => required(texts[ROOT + path], `shader ${path}`);
