import { main } from './cli.ts';
import { EXIT } from './commands/exit-code.ts';
import { printNote } from './commands/output.ts';

/** `austream tail | head` closes the pipe, and a closed window its terminal. */
const CLOSED = new Set(['EPIPE', 'EIO']);

/** The first error of standard output: the command ends as on Ctrl-C, everything flushed. */
let outputError: string | undefined;
process.stdout.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
  if (outputError !== undefined) return;
  outputError = code;
  if (!CLOSED.has(code)) printNote(`austream: standard output cannot be written: ${code}`);
  // A command without a handler has nothing to flush.
  if (CLOSED.has(code) || process.listenerCount('SIGINT') > 0) process.kill(process.pid, 'SIGINT');
  else process.exit(EXIT.failed);
});

const exitCode = await main(process.argv.slice(2));
process.exitCode = outputError === undefined || CLOSED.has(outputError) ? exitCode : EXIT.failed;

// Exit as soon as standard output is written. Open handles, such as retries to reach a telemetry receiver, must not
// keep the process alive.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, 500).unref();
