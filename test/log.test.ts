import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Standard error of a program that logs. */
function logged(program: string): string {
  const script = `import { log } from ${JSON.stringify(new URL('../src/log.ts', import.meta.url).pathname)};
import { registerSecrets } from ${JSON.stringify(new URL('../src/redaction.ts', import.meta.url).pathname)};
registerSecrets(['c4n4ry-log']);
${program}`;
  const shell = `"${process.execPath}" --input-type=module 2>&1 >/dev/null`;
  return execFileSync('sh', ['-c', shell], { input: script, encoding: 'utf8' });
}

test('a log line is one line of JSON without control characters and secrets, whatever it quotes', () => {
  const text = logged(
    `log.warn({ why: 'c4n4ry-log \\u2028\\u009b31m', list: ['c4n4ry-log'], error: new Error('c4n4ry-log') }, 'a\\u202e\\u001b[2J c4n4ry-log\\n{"level":60}');`,
  );
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}](?!$)/u);
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text).not.toContain('c4n4ry');
  expect(JSON.parse(text)).toMatchObject({ level: 40, msg: 'a[2J ***\n{"level":60}', list: ['***'] });
});

test('a log line is bounded', () => {
  expect(logged(`log.error('x'.repeat(1_000_000));`).length).toBeLessThan(30_000);
});
