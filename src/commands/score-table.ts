import { closeSync, openSync, writeSync } from 'node:fs';
import { AustreamError } from '../errors.ts';

/** Characters written at once. */
const WRITTEN_AT_ONCE = 1 << 20;

/** The file that rows of scores go to, each source's as soon as it is scored. */
export class ScoreTable {
  readonly #file: string;
  readonly #fd: number;

  /** Throws ARGUMENT_INVALID where the file cannot be written. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = this.#try(() => openSync(file, 'w'));
  }

  /** A long source has more rows than one string could hold. Throws DISK_FULL. */
  write(rows: Iterable<string>): void {
    let text = '';
    for (const row of rows) {
      text += `${row}\n`;
      if (text.length < WRITTEN_AT_ONCE) continue;
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
    for (let done = 0; done < bytes.length; ) done += this.#try(() => writeSync(this.#fd, bytes, done));
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw code === 'ENOSPC' || code === 'EDQUOT'
        ? new AustreamError('DISK_FULL', `no space left to write ${this.#file}`, {
            fix: 'free some, or write elsewhere',
            cause,
          })
        : new AustreamError('ARGUMENT_INVALID', `--out ${this.#file} cannot be written: ${code}`, { cause });
    }
  }
}
