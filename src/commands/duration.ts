import { InvalidArgumentError } from 'commander';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** An argument parser for commander: `30s`, `500ms`, `2m`, `1h` or bare seconds, into milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (!match) throw new InvalidArgumentError('It must be a duration such as 30s, 500ms, 2m or 1h.');
  const unit = (match[2] ?? 's') as keyof typeof UNITS;
  return Number(match[1]) * UNITS[unit];
}
