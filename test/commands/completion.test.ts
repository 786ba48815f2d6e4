import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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

describe('zsh, at a terminal of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-zsh-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(async () => {
    const { stdout } = await run('bin/austream', ['completion', 'zsh']);
    writeFileSync(join(folder, '_austream'), stdout);
  });

  const TYPED = ['austream rep', 'austream run --dash', 'austream model ver', 'austream run -c austream.ex'];

  /** What each line is after the Tab key. The key that follows it prints the line, and leaves an empty one. */
  async function completed(setUp: string): Promise<string[]> {
    const script = `
      zmodload zsh/zpty
      zpty shell 'TERM=dumb zsh -f -i'
      zpty -w shell 'PS1= RPS1= PROMPT_SP=; autoload -U compinit; ${setUp};
        said() { print -r -- "<$BUFFER>"; BUFFER=; zle accept-line }; zle -N said; bindkey "^X" said; echo READY$((1+1))'
      zpty -r -m shell out '*READY2*'
      for typed in ${TYPED.map((line) => `'${line}'`).join(' ')}; do
        zpty -w -n shell "$typed"$'\t\x18'
        zpty -r -m shell out '*<*>*'
        print -r -- "\${\${out##*<}%%>*}"
      done
      zpty -d shell`;
    const { stdout } = await run('zsh', ['-f', '-c', script], { timeout: 60_000 });
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.trim());
  }

  test.each([
    ['sourced', `compinit -u -D; source ${folder}/_austream`],
    ['in a folder of $fpath', `fpath=(${folder} $fpath); compinit -u -D`],
  ])('%s, completes commands, options, subcommands and files', async (_, setUp) => {
    expect(await completed(setUp)).toEqual([
      'austream report',
      'austream run --dashboard',
      'austream model verify',
      'austream run -c austream.example.yaml',
    ]);
  });
});

test('fish gets a line for each', async () => {
  const { stdout } = await run('bin/austream', ['completion', 'fish']);
  expect(stdout).toContain("complete -c austream -n '__fish_use_subcommand' -a run");
  expect(stdout).toContain("complete -c austream -n '__fish_seen_subcommand_from run' -l dashboard");
});
