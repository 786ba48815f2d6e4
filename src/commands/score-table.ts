import { closeSync, openSync, writeSync } from 'node:fs';
import { AustreamError } from '../errors.ts';

/** Rows are written in chunks of about this many characters. */
const CHUNK_CHARACTERS = 1 << 20;

/** The output file of `austream score`. Rows of a source are written as soon as it is scored. */
export class ScoreTable {
  readonly #file: string;
  readonly #fd: number;

  /** Throws ARGUMENT_INVALID when the file cannot be opened for writing. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = this.#try(() => openSync(file, 'w'));
  }

  /** Writes each row on its own line, in chunks: a long source exceeds the maximum string length. Throws DISK_FULL. */
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
      const { code } = cause as NodeJS.ErrnoException;
      throw code === 'ENOSPC' || code === 'EDQUOT'
        ? new AustreamError('DISK_FULL', `no space left to write ${this.#file}`, {
            fix: 'free disk space, or write elsewhere',
            cause,
          })
        : new AustreamError('ARGUMENT_INVALID', `--out ${this.#file} cannot be written: ${code}`, {
            fix: 'give a file in a folder that exists and is writable',
            cause,
          });
    }
  }
}
