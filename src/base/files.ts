/** What a file is written from: text, bytes, or the parts of a file in their order. */
export type FileContent = string | Uint8Array | readonly Uint8Array[];

/** Files as the platform offers them; paths are separated by `/`. Every failure is a UserError that names the path. */
export interface FileSystem {
  readBytes(path: string): Promise<Uint8Array>;
  /** Reads UTF-8 text; a byte order mark is dropped. */
  readText(path: string): Promise<string>;
  exists(path: string): Promise<boolean>;
  /** The names in a folder, sorted; a folder's name ends with `/`. */
  list(directory: string): Promise<string[]>;
  /** Writes a file whole or not at all: a reader sees the old content or the new one, even after a power cut. */
  writeAtomic(path: string, content: FileContent): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes a folder and the folders above it; one that exists is left as it is. */
  makeDirectory(path: string): Promise<void>;
}
