import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT } from './commands/exit-code.ts';
import { AustreamError } from './errors.ts';
import { outgoingMessage } from './redaction.ts';

/** Each command's module is imported on demand: `austream check` must not load an inference library. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  run: async () => (await import('./commands/run.ts')).runCommand(),
  ingest: async () => (await import('./commands/ingest.ts')).ingestCommand(),
  infer: async () => (await import('./commands/infer.ts')).inferCommand(),
  cameras: async () => (await import('./commands/cameras.ts')).camerasCommand(),
  dashboard: async () => (await import('./commands/dashboard.ts')).dashboardCommand(),
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  check: async () => (await import('./commands/check.ts')).checkCommand(),
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  score: async () => (await import('./commands/score.ts')).scoreCommand(),
  tail: async () => (await import('./commands/tail.ts')).tailCommand(),
  topics: async () => (await import('./commands/topics.ts')).topicsCommand(),
  model: async () => (await import('./commands/model.ts')).modelCommand(),
  report: async () => (await import('./commands/report.ts')).reportCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  completion: async () =>
    (await import('./commands/completion.ts')).completionCommand(() => buildProgram(Object.values(COMMANDS))),
};

/** Runs a command line. Returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = COMMANDS[argv[0] ?? ''];
  const program = await buildProgram(command ? [command] : Object.values(COMMANDS));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    return reportError(error);
  }
}

async function buildProgram(commands: readonly (() => Promise<Command>)[]): Promise<Command> {
  const program = new Command('austream')
    .description('Facial Action Units of faces on IP cameras, as events on Kafka topics')
    .version(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version)
    .exitOverride();
  for (const load of commands) program.addCommand(withExitOverride(await load()));
  return program;
}

function withExitOverride(command: Command): Command {
  command.exitOverride();
  for (const subcommand of command.commands) withExitOverride(subcommand);
  return command;
}

/** Prints an error with its fix to standard error. Returns its exit code. */
function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof AustreamError) {
    process.stderr.write(`austream: ${error.message}\n`);
    if (error.fix) process.stderr.write(`  → ${error.fix}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `austream: unexpected failure: ${outgoingMessage(String(error instanceof Error ? error.stack : error))}\n`,
  );
  return EXIT.failed;
}
