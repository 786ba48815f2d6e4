import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
let script: string;
beforeAll(async () => {
  script = (await run('bin/austream', ['completion', 'bash'])).stdout;
});

/** What bash offers after these words, the last of which is being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const typed = ['austream', ...words].map((word) => `'${word}'`).join(' ');
  const { stdout } = await run('bash', [
    '-c',
    `${script}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _austream; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  return stdout.trim().split('\n');
}

test('bash completes commands, subcommands and options, and files where none fits', async () => {
  expect(await offered('')).toEqual(
    expect.arrayContaining(['run', 'demo', 'report', 'doctor', 'completion']),
  );
  expect(await offered('rep')).toEqual(['report']);
  expect(await offered('run', '--da')).toEqual(['--dashboard']);
  expect(await offered('run', '-c', 'x.yaml', '--sh')).toEqual(['--show-video']);
  expect(await offered('model', '')).toEqual(expect.arrayContaining(['info', 'verify']));
  expect(await offered('run', '-c', 'austream.ex')).toEqual(['austream.example.yaml']);
});

test('fish gets a line for each', async () => {
  const { stdout } = await run('bin/austream', ['completion', 'fish']);
  expect(stdout).toContain("complete -c austream -n '__fish_use_subcommand' -a run");
  expect(stdout).toContain("complete -c austream -n '__fish_seen_subcommand_from run' -l dashboard");
});
