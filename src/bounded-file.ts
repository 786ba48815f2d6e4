import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 1 << 16;

/**
 * Reads a text file of at most `maxBytes`, also a pipe. Throws an error with code EFBIG for a longer or endless one, and
 * those of `readFileSync`. Nothing larger is allocated.
 */
export function readBoundedFile(path: string, maxBytes: number): string {
  const file = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const count = readSync(file, chunk, 0, CHUNK_BYTES, null);
      if (count === 0) return Buffer.concat(chunks).toString();
      total += count;
      if (total > maxBytes)
        throw Object.assign(new Error(`${path} is longer than ${maxBytes} bytes`), { code: 'EFBIG' });
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}
