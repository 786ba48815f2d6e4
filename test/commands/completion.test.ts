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

/** The completions of bash for a command line; the last word is still being typed. */
async function bashCompletions(...words: string[]): Promise<string[]> {
  const typed = ['austream', ...words].map((word) => `'${word}'`).join(' ');
  const { stdout } = await run('bash', [
    '-c',
    `${script}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _austream; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  return stdout.trim().split('\n');
}

test('bash completes commands, subcommands and options, else file names', async () => {
  expect(await bashCompletions('')).toEqual(
    expect.arrayContaining(['run', 'demo', 'report', 'doctor', 'completion']),
  );
  expect(await bashCompletions('rep')).toEqual(['report']);
  expect(await bashCompletions('run', '--da')).toEqual(['--dashboard']);
  expect(await bashCompletions('run', '-c', 'x.yaml', '--sh')).toEqual(['--show-video']);
  expect(await bashCompletions('model', '')).toEqual(expect.arrayContaining(['info', 'verify']));
  expect(await bashCompletions('run', '-c', 'austream.ex')).toEqual(['austream.example.yaml']);
});

describe('zsh in a pseudo-terminal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-zsh-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(async () => {
    const { stdout } = await run('bin/austream', ['completion', 'zsh']);
    writeFileSync(join(folder, '_austream'), stdout);
  });

  const TYPED = ['austream rep', 'austream run --dash', 'austream model ver', 'austream run -c austream.ex'];

  /** Each typed line after the Tab key. Ctrl-X is bound to a widget that prints the line and clears it. */
  async function zshCompletions(setUp: string): Promise<string[]> {
    const script = `
      zmodload zsh/zpty
      zpty shell 'TERM=dumb zsh -f -i'
      zpty -w shell 'PS1= RPS1= PROMPT_SP=; autoload -U compinit; ${setUp};
        print-line() { print -r -- "<$BUFFER>"; BUFFER=; zle accept-line }; zle -N print-line; bindkey "^X" print-line; echo READY$((1+1))'
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
  ])('%s, completes commands, options, subcommands and file names', async (_, setUp) => {
    expect(await zshCompletions(setUp)).toEqual([
      'austream report',
      'austream run --dashboard',
      'austream model verify',
      'austream run -c austream.example.yaml',
    ]);
  });
});

test('fish gets one line per completion', async () => {
  const { stdout } = await run('bin/austream', ['completion', 'fish']);
  expect(stdout).toContain("complete -c austream -n '__fish_use_subcommand' -a run");
  expect(stdout).toContain("complete -c austream -n '__fish_seen_subcommand_from run' -l dashboard");
});
