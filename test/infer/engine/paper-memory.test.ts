import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('builds, loads and runs the preset paper within 6 GB of memory', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'austream-paper-'));
  const program = fileURLToPath(new URL('paper-program.ts', import.meta.url));
  const env = { ...process.env, XDG_CACHE_HOME: scratch };
  try {
    const result = JSON.parse(execFileSync(process.execPath, [program], { env, encoding: 'utf8' }));
    expect(result).toMatchObject({ scores: 16 * 12, finite: true });
    expect(result.peakBytes).toBeLessThan(6e9);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}, 600_000);
