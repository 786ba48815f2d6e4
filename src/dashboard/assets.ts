import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';

const BUILT = new URL('../../dist/dashboard/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** The built page by path (`index.html`, `assets/…`), all in memory; builds it where set-up has not. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  if (!existsSync(new URL('index.html', BUILT))) await buildPage();
  const assets = new Map<string, Asset>();
  for (const path of await readdir(BUILT, { recursive: true })) {
    const type = TYPES[extname(path)];
    if (type) assets.set(path, { type, body: await readFile(new URL(path, BUILT)) });
  }
  return assets;
}

async function buildPage(): Promise<void> {
  try {
    const { build } = await import('vite');
    await build({
      configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
      logLevel: 'error',
    });
  } catch (cause) {
    throw new AustreamError('PREREQUISITE_MISSING', 'the dashboard page is not built', {
      fix: 'npm run build:dashboard (make setup does it)',
      cause,
    });
  }
}
