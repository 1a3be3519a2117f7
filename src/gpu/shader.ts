import { InternalError } from '../base/errors.ts';

/** Reads a file of shaders/ by its path there, such as `conv2d.wgsl` or `lib/launch.wgsl`. */
export type ShaderLoader = (path: string) => Promise<string>;

export interface ShaderBinding {
  readonly name: string;
  readonly index: number;
  readonly access: 'uniform' | 'read' | 'read_write';
}

export interface UniformField {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32';
}

/** What a WGSL text declares to the outside: its bindings and the fields of its `struct Parameters`. */
export interface ShaderInterface {
  readonly bindings: readonly ShaderBinding[];
  readonly uniforms: readonly UniformField[];
}

/**
 * Replaces the value of each named `const NAME: TYPE = VALUE;` or `alias NAME = TYPE;` in place, so that line numbers
 * stay true. A name that the text does not declare is a fault of the caller.
 */
export function specialise(source: string, constants: Readonly<Record<string, string | number>>): string {
  let text = source;
  for (const [name, value] of Object.entries(constants)) {
    const declaration = new RegExp(`^(const ${name}: \\w+ = |alias ${name} = )([^;]+);`, 'm');
    const found = declaration.exec(text);
    if (!found) throw new InternalError(`the shader declares no const or alias named ${name}`);
    const literal = found[1]?.includes(': u32') ? `${value}u` : String(value);
    text = text.replace(declaration, `${found[1]}${literal};`);
  }
  return text;
}

const HALVES: Readonly<Record<string, string>> = { f32: 'f16', vec4f: 'vec4h' };

/**
 * Makes bindings of a specialised text hold f16 where it computes with f32: the alias that is a binding's element type,
 * `alias X = T;`, becomes half of T. Loads and stores convert: `T(x[i])`, `y[i] = Y(value)`. Line numbers stay true.
 */
export function storeAsHalves(source: string, bindings: readonly string[]): string {
  if (bindings.length === 0) return source;
  const width = /^alias T = (\w+);/m.exec(source)?.[1] ?? '';
  let text = source;
  for (const name of bindings) {
    const element = new RegExp(`> ${name}: array<(\\w+)>;`).exec(text)?.[1];
    const declaration = `alias ${element} = T;`;
    const half = HALVES[width];
    if (!half || !text.includes(declaration)) {
      throw new InternalError(`the shader cannot store ${name} in f16: it declares no alias of T for its elements`);
    }
    text = text.replace(declaration, `alias ${element} = ${half};`);
  }
  return `enable f16; ${text}`;
}

/** Reads the bindings and uniform fields out of a WGSL text; the first binding is always `parameters`. */
export function describeShader(source: string): ShaderInterface {
  const bindings: ShaderBinding[] = [];
  const declaration = /@group\(0\) @binding\((\d+)\) var<(uniform|storage, read|storage, read_write)> (\w+)/g;
  for (const [, index, space, name] of source.matchAll(declaration)) {
    const access = space === 'uniform' ? 'uniform' : space === 'storage, read' ? 'read' : 'read_write';
    bindings.push({ name: name as string, index: Number(index), access });
  }
  const body = /struct Parameters \{([^}]*)\}/.exec(source)?.[1] ?? '';
  const uniforms = [...body.matchAll(/^\s*(\w+): (u32|i32|f32),/gm)].map(
    ([, name, type]) => ({ name, type }) as UniformField,
  );
  return { bindings, uniforms };
}

/** Lays uniform values out as the shader's `struct Parameters` does; every field must be given, and no other. */
export function packUniforms(
  shader: string,
  fields: readonly UniformField[],
  values: Readonly<Record<string, number>>,
): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.max(16, Math.ceil(fields.length / 4) * 16));
  const view = new DataView(bytes);
  fields.forEach(({ name, type }, index) => {
    const value = values[name];
    if (value === undefined) throw new InternalError(`${shader}: uniform ${name} was not given`);
    if (type === 'f32') view.setFloat32(4 * index, value, true);
    else if (type === 'i32') view.setInt32(4 * index, value, true);
    else view.setUint32(4 * index, value, true);
  });
  const known = new Set(fields.map((field) => field.name));
  const unknown = Object.keys(values).find((name) => !known.has(name));
  if (unknown) throw new InternalError(`${shader}: there is no uniform named ${unknown}`);
  return bytes;
}
