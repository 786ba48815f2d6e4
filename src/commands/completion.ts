import { Argument, Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** `austream completion`: what a shell needs to complete commands and options. `program` gives all of them. */
export function completionCommand(program: () => Promise<Command>): Command {
  return new Command('completion')
    .description('Print the completion script of a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', '\nExample: austream completion bash > /etc/bash_completion.d/austream')
    .action(async (shell: Shell) => {
      process.stdout.write(SCRIPTS[shell](wordsOf(await program())));
    });
}

/** Per command path ("", "run", "model info", …) the words that may come next. */
type Words = readonly (readonly [path: string, words: readonly string[]])[];

function wordsOf(command: Command, path = ''): Words {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const children = command.commands.map((child) => child.name());
  const own = [path, [...children, ...options, '--help']] as const;
  return [own, ...command.commands.flatMap((child) => wordsOf(child, `${path} ${child.name()}`.trim()))];
}

/** The branches that find out which command is being completed. */
function places(words: Words): string {
  return words
    .filter(([path]) => path !== '')
    .map(([path]) => `      '${path}') place='${path}' ;;`)
    .join('\n');
}

const SCRIPTS: Readonly<Record<Shell, (words: Words) => string>> = {
  bash: (words) => `_austream() {
  local word=\${COMP_WORDS[COMP_CWORD]} place= each words
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${place:+$place }$each" in
${places(words)}
    esac
  done
  case "$place" in
${words.map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _austream austream
`,
  // Works from a folder of $fpath, where it is run at the first completion, and by "source".
  zsh: (words) => `#compdef austream
_austream() {
  local place= each
  local -a next
  for each in "\${(@)words[2,CURRENT-1]}"; do
    case "\${place:+$place }$each" in
${places(words)}
    esac
  done
  case "$place" in
${words.map(([path, next]) => `    '${path}') next=(${next.join(' ')}) ;;`).join('\n')}
  esac
  compadd -a next || _files
}
if [[ "\${funcstack[1]}" == _austream ]]; then _austream "$@"; else compdef _austream austream; fi
`,
  fish: (words) =>
    words
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
