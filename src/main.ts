import { main } from './cli.ts';

// `austream tail | head`: whoever read has left. What runs ends as at Ctrl-C, everything flushed; nobody is told.
let readerLeft = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (!readerLeft) process.kill(process.pid, 'SIGINT');
  readerLeft = true;
});

process.exitCode = await main(process.argv.slice(2));

// What keeps the process alive from here on, such as tries to reach a telemetry receiver that is away, is not worth
// waiting for; output that somebody still reads is.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, 500).unref();
