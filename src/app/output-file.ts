import { closeSync, openSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { AustreamError } from '../errors.ts';

/** Rows are written in chunks of about this many characters. */
const CHUNK_CHARACTERS = 1 << 20;

/** A file of rows that an option of a command names. Methods throw DISK_FULL, or ARGUMENT_INVALID for a bad path. */
export class OutputFile {
  readonly #option: string;
  readonly #path: string;
  readonly #fd: number;

  /** Creates or truncates the file. `option` appears in errors, e.g. `--out`. */
  constructor(option: string, path: string) {
    this.#option = option;
    this.#path = path;
    this.#fd = this.#try(() => openSync(path, 'w'));
  }

  /** Writes each row on its own line, in chunks: all rows together may exceed the maximum string length. */
  write(rows: Iterable<string>): void {
    let text = '';
    for (const row of rows) {
      text += `${row}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      this.#append(text);
      text = '';
    }
    this.#append(text);
  }

  close(): void {
    this.#try(() => closeSync(this.#fd));
  }

  #append(text: string): void {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; )
      written += this.#try(() => writeSync(this.#fd, bytes, written));
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw outputError(this.#option, this.#path, cause);
    }
  }
}

/** Writes a whole file that an option names. Throws as OutputFile does. */
export async function writeOutput(option: string, path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content).catch((cause) => {
    throw outputError(option, path, cause);
  });
}

/** The error for a file or folder that cannot be written: DISK_FULL, else ARGUMENT_INVALID. `option` names its option. */
export function outputError(option: string, path: string, cause: unknown): AustreamError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AustreamError('DISK_FULL', `no space left to write ${path}`, {
      fix: 'free disk space, or write elsewhere',
      cause,
    });
  return new AustreamError('ARGUMENT_INVALID', `${option} ${path} cannot be written: ${code}`, {
    fix: 'give a path that exists and is writable',
    cause,
  });
}
