import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';

const BUILD_DIR = new URL('../../dist/dashboard/', import.meta.url);

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/**
 * Reads the built page into memory, by path (`index.html`, `assets/…`). Builds it first if it does not exist; throws
 * PREREQUISITE_MISSING if that fails.
 */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  if (!existsSync(new URL('index.html', BUILD_DIR))) await buildPage();
  const assets = new Map<string, Asset>();
  for (const path of await readdir(BUILD_DIR, { recursive: true })) {
    const type = CONTENT_TYPES[extname(path)];
    if (type) assets.set(path, { type, body: await readFile(new URL(path, BUILD_DIR)) });
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
      fix: 'run make setup, which builds it',
      cause,
    });
  }
}
