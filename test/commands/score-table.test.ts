import { constants } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ScoreTable } from '../../src/commands/score-table.ts';

test('takes more rows of one source than a string could hold', () => {
  const table = new ScoreTable('/dev/null');
  const row = 'x'.repeat(1e6);
  table.write(new Array<string>(Math.ceil(constants.MAX_STRING_LENGTH / row.length)).fill(row));
  table.close();
});

test('writes every row on a line of its own, those of several sources one after the other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-table-'));
  const file = join(folder, 'scores.csv');
  const rows = Array.from({ length: 5_000 }, (_, i) => `${i},${'é'.repeat(i % 600)}`);
  const table = new ScoreTable(file);
  for (const some of [['source,frame'], [], rows, ['end']]) table.write(some);
  table.close();
  expect(readFileSync(file, 'utf8')).toBe(`${['source,frame', ...rows, 'end'].join('\n')}\n`);
  rmSync(folder, { recursive: true });
});
