import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('live-page.ts', import.meta.url));

/** Starts live-page.ts; resolves when it listens. `port`: 0 for any. */
export async function startLivePage(port = 0): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [SCRIPT, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { url, process: child };
}
