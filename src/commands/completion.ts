import { Argument, Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** `austream completion`: prints a completion script for a shell. `buildProgram` returns the program with all commands. */
export function completionCommand(buildProgram: () => Promise<Command>): Command {
  return new Command('completion')
    .description('Print the completion script of a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', '\nExample: austream completion bash > /etc/bash_completion.d/austream')
    .action(async (shell: Shell) => {
      process.stdout.write(SCRIPTS[shell](completionsOf(await buildProgram())));
    });
}

/** For each command path ("", "run", "model info", …) the words that may follow it. */
type Completions = readonly (readonly [path: string, next: readonly string[]])[];

function completionsOf(command: Command, path = ''): Completions {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const subcommands = command.commands.map((child) => child.name());
  return [
    [path, [...subcommands, ...options, '--help']],
    ...command.commands.flatMap((child) => completionsOf(child, `${path} ${child.name()}`.trim())),
  ];
}

/** Shell `case` branches that set `command` to the path of the command being completed. */
function commandBranches(completions: Completions): string {
  return completions
    .filter(([path]) => path !== '')
    .map(([path]) => `      '${path}') command='${path}' ;;`)
    .join('\n');
}

const SCRIPTS: Readonly<Record<Shell, (completions: Completions) => string>> = {
  bash: (completions) => `_austream() {
  local word=\${COMP_WORDS[COMP_CWORD]} command= argument words
  for argument in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${command:+$command }$argument" in
${commandBranches(completions)}
    esac
  done
  case "$command" in
${completions.map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _austream austream
`,
  // Works both from a folder of $fpath, which runs it at the first completion, and with "source".
  zsh: (completions) => `#compdef austream
_austream() {
  local command= argument
  local -a next
  for argument in "\${(@)words[2,CURRENT-1]}"; do
    case "\${command:+$command }$argument" in
${commandBranches(completions)}
    esac
  done
  case "$command" in
${completions.map(([path, next]) => `    '${path}') next=(${next.join(' ')}) ;;`).join('\n')}
  esac
  compadd -a next || _files
}
if [[ "\${funcstack[1]}" == _austream ]]; then _austream "$@"; else compdef _austream austream; fi
`,
  fish: (completions) =>
    completions
      .flatMap(([path, next]) => {
        const condition =
          path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
        return next.map((word) =>
          word.startsWith('--')
            ? `complete -c austream -n '${condition}' -l ${word.slice(2)}`
            : `complete -c austream -n '${condition}' -a ${word}`,
        );
      })
      .map((line) => `${line}\n`)
      .join(''),
};
