import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { sourceDigest } from '../../../../src/infer/engine/onnx/source-digest.ts';

test('the digest follows a module and what it imports, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-digest-'));
  const write = (name: string, source: string) => writeFileSync(join(folder, name), source);
  write('emit.ts', "import type { Ops } from './ops.ts';\nimport { x } from './ops.ts';\n");
  write('ops.ts', "import {\n  y,\n} from './deep.ts';\nimport './emit.ts';\nexport const x = y;\n");
  write('deep.ts', 'export const y = 1;\n');
  write('other.ts', 'export const z = 1;\n');
  const digest = () => sourceDigest(pathToFileURL(join(folder, 'emit.ts')));
  const before = digest();
  write('other.ts', 'export const z = 2;\n');
  expect(digest()).toBe(before);
  write('deep.ts', 'export const y = 2;\n');
  expect(digest()).not.toBe(before);
  rmSync(folder, { recursive: true });
});
