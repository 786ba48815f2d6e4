import { main } from './cli.ts';

process.exitCode = await main(process.argv.slice(2));

// What keeps the process alive from here on, such as tries to reach a telemetry receiver that is away, is not worth
// waiting for; output that somebody still reads is.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, 500).unref();
