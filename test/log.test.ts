import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
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

test('while nobody reads the log the program goes on in bounded memory, and says later what is missing', async () => {
  const log = new URL('../src/log.ts', import.meta.url).pathname;
  // 30 MB of lines.
  const program = `
    import { log } from ${JSON.stringify(log)};
    import { setImmediate } from 'node:timers/promises';
    for (let n = 0; n < 30_000; n++) {
      log.info('x'.repeat(1_000));
      if (n % 100 === 0) await setImmediate();
    }
    console.log(process.resourceUsage().maxRSS / 1_024);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  const [peakMb] = (await once(child.stdout, 'data')) as [Buffer];
  expect(Number(peakMb)).toBeLessThan(200);
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const leftOut = lines.reduce((sum, line) => sum + (line.lines ?? 0), 0);
  expect(leftOut).toBeGreaterThan(15_000);
  expect(lines.filter(({ msg }) => msg.startsWith('x')).length + leftOut).toBe(30_000);
}, 30_000);
