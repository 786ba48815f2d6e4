import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { AustreamError } from './errors.ts';

/** Commands load when they are called: `austream check` should not pay for an inference library. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  run: async () => (await import('./commands/run.ts')).runCommand(),
  ingest: async () => (await import('./commands/ingest.ts')).ingestCommand(),
  infer: async () => (await import('./commands/infer.ts')).inferCommand(),
  cameras: async () => (await import('./commands/cameras.ts')).camerasCommand(),
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  check: async () => (await import('./commands/check.ts')).checkCommand(),
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  score: async () => (await import('./commands/score.ts')).scoreCommand(),
  tail: async () => (await import('./commands/tail.ts')).tailCommand(),
  topics: async () => (await import('./commands/topics.ts')).topicsCommand(),
  model: async () => (await import('./commands/model.ts')).modelCommand(),
  report: async () => (await import('./commands/report.ts')).reportCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  completion: async () => (await import('./commands/completion.ts')).completionCommand(() => wholeProgram()),
};

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export async function main(argv: readonly string[]): Promise<number> {
  const named = COMMANDS[argv[0] ?? ''];
  const program = await wholeProgram(named ? [named] : undefined);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    return report(error);
  }
}

async function wholeProgram(commands = Object.values(COMMANDS)): Promise<Command> {
  const program = new Command('austream')
    .description('Facial Action Units of faces on IP cameras, as events on Kafka topics')
    .version(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version)
    .exitOverride();
  for (const load of commands) program.addCommand(withExitOverride(await load()));
  return program;
}

function withExitOverride(command: Command): Command {
  command.exitOverride();
  for (const sub of command.commands) withExitOverride(sub);
  return command;
}

/** Says what went wrong in one place, and with which exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof AustreamError) {
    process.stderr.write(`austream: ${error.message}\n`);
    if (error.fix) process.stderr.write(`  → ${error.fix}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `austream: unexpected failure: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return EXIT.failed;
}
