import { readFileSync } from 'node:fs';

/** The metrics that a command exposes on `/metrics`, according to the table of docs/metrics.md. */
export function documentedMetrics(command: 'run' | 'ingest' | 'infer'): string[] {
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(
    /^\| `((?:austream|process|hw)_\w+)` \|.*\| ([a-z, ]+) \|$/gm,
  );
  return [...rows].flatMap(([, name, commands]) => (commands!.split(', ').includes(command) ? [name!] : []));
}
