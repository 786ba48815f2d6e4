import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Manifest } from './render.ts';
import { kubernetesTools } from './tools.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** The two newest versions that kubernetes-validate supports. */
const VERSIONS = ['1.36', '1.37'] as const;

/**
 * Validates objects against the schemas, in one run of the validator; equal objects are validated once. Returns the
 * errors as `version kind/name: path: message`.
 */
export async function schemaErrors(objects: readonly Manifest[]): Promise<string[]> {
  const { python } = await kubernetesTools();
  const unique = new Map<string, string>();
  for (const object of objects) {
    const json = JSON.stringify(object);
    unique.set(createHash('sha256').update(json).digest('hex'), json);
  }
  const lines = [...unique.values()].map((json) => {
    const { kind, metadata } = JSON.parse(json) as Manifest;
    return `{"id":"${kind}/${metadata?.name}","object":${json}}\n`;
  });
  const child = spawn(python, [join(HERE, 'validate.py'), join(HERE, 'crds/crds.ndjson'), ...VERSIONS], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(lines.join(''));
  const exited = new Promise((resolve) => child.once('close', resolve));
  const [out, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`validate.py ended with ${code}: ${errors}`);
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { id: string; version: string; message: string })
    .map(({ id, version, message }) => `${version} ${id}: ${message}`);
}
