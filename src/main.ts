import { main } from './cli.ts';

// `austream tail | head` closes the pipe: end as on Ctrl-C, everything flushed, without an error message.
let pipeClosed = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (!pipeClosed) process.kill(process.pid, 'SIGINT');
  pipeClosed = true;
});

process.exitCode = await main(process.argv.slice(2));

// Exit as soon as standard output is written. Open handles, such as retries to reach a telemetry receiver, must not
// keep the process alive.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, 500).unref();
