import { Command, InvalidArgumentError, Option } from 'commander';
import { SIMULATED_CODECS, type SimulatedCodec, Simulator } from '../simulate/simulator.ts';
import { parseDuration } from './duration.ts';
import { lifetime } from './lifetime.ts';

interface SimulateFlags {
  cameras?: number;
  host: string;
  port: number;
  user?: string;
  password?: string;
  codec?: SimulatedCodec;
  fps?: number;
  size?: readonly [number, number];
  json?: boolean;
  duration?: number;
}

/** `austream simulate`: IP cameras to try things with, one RTSP path each. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Serve video files or still images as RTSP cameras that play in a loop')
    .argument('<files...>', 'video files or still images')
    .option('--cameras <n>', 'number of cameras (default: one per file)', whole(1, 256))
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 takes a free one', whole(0, 65_535), 8554)
    .option('--user <name>', 'ask for this user')
    .option('--password <password>', 'and this password')
    .addOption(new Option('--codec <codec>', 'encode anew if need be').choices(SIMULATED_CODECS))
    .option('--fps <n>', 'frames a second (default: the file’s)', whole(1, 120))
    .option('--size <WxH>', 'picture size (default: the file’s; 640x360 for still images)', size)
    .option('--duration <time>', 'end after this time, such as 30s', parseDuration)
    .option('--json', 'print the cameras as JSON')
    .action(async (files: string[], flags: SimulateFlags) => {
      const { json, duration, ...options } = flags;
      const simulator = await Simulator.start({ sources: files, ...options });
      // Before anything is printed: whoever reads it may interrupt at once.
      const ending = lifetime(simulator.exited, duration);
      process.stdout.write(
        json
          ? `${JSON.stringify({ type: 'cameras', urls: simulator.urls })}\n`
          : `${simulator.urls.map((url, index) => `camera ${index + 1}: ${url}`).join('\n')}\n`,
      );
      const why = await ending;
      await simulator.stop();
      if (why === 'interrupted') process.exitCode = 130;
      if (why === 'done') process.exitCode = 1;
    });
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

function size(text: string): readonly [number, number] {
  const match = /^(\d{2,5})x(\d{2,5})$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be width and height, such as 1280x720.');
  return [Number(match[1]) & ~1, Number(match[2]) & ~1];
}
