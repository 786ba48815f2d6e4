import { constants } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OutputFile, writeOutput } from '../../src/app/output-file.ts';

test('writes more rows than fit in a string', () => {
  const table = new OutputFile('--out', '/dev/null');
  const row = 'x'.repeat(1e6);
  table.write(new Array<string>(Math.ceil(constants.MAX_STRING_LENGTH / row.length)).fill(row));
  table.close();
});

test('writes each row on its own line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-table-'));
  const file = join(folder, 'scores.csv');
  const rows = Array.from({ length: 5_000 }, (_, i) => `${i},${'é'.repeat(i % 600)}`);
  const table = new OutputFile('--out', file);
  for (const chunk of [['source,frame'], [], rows, ['end']]) table.write(chunk);
  table.close();
  expect(readFileSync(file, 'utf8')).toBe(`${['source,frame', ...rows, 'end'].join('\n')}\n`);
  rmSync(folder, { recursive: true });
});

test.each([
  ['/dev/full', 'DISK_FULL', 'no space left to write /dev/full'],
  ['/nowhere/scores.csv', 'ARGUMENT_INVALID', '--out /nowhere/scores.csv cannot be written: ENOENT'],
])('%s is rejected with %s and a fix', async (path, code, message) => {
  const failure = { code, message, fix: expect.any(String) };
  expect(() => new OutputFile('--out', path).write(['row'])).toThrow(expect.objectContaining(failure));
  await expect(writeOutput('--out', path, 'text')).rejects.toMatchObject(failure);
});
