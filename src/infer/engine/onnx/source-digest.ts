import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const IMPORT = /\b(?:from|import) '(\.[^']+)'/g;

/** SHA-256 of a module's source and of all that it imports from this repository, directly or not. */
export function sourceDigest(entry: URL): string {
  const sources = new Map<string, string>();
  const read = (url: URL) => {
    if (sources.has(url.href)) return;
    const source = readFileSync(url, 'utf8');
    sources.set(url.href, source);
    for (const [, specifier] of source.matchAll(IMPORT)) read(new URL(specifier!, url));
  };
  read(entry);
  const hash = createHash('sha256');
  for (const source of sources.values()) hash.update(`${source.length}\n${source}`);
  return hash.digest('hex');
}
