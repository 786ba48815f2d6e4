import { Command, InvalidArgumentError, Option } from 'commander';
import { type FaultKind, type InjectedFault, injectRandomFaults } from '../simulate/faults.ts';
import { SIMULATED_CODECS, type SimulatedCodec, Simulator } from '../simulate/simulator.ts';
import { parseDuration } from './duration.ts';
import { whole } from './integer-option.ts';
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
  faults?: number;
  onvif?: boolean;
  onvifPort: number;
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
    .option(
      '--faults <seed>',
      'let streams stop, freeze, lose packets …: the same ones for the same seed',
      whole(1, 1e9),
    )
    .option('--onvif', 'make each camera an ONVIF device, too, which austream cameras discover finds')
    .option('--onvif-port <n>', 'port of the first device; 0 takes free ones', whole(0, 65_535), 8000)
    .option('--duration <time>', 'end after this time, such as 30s', parseDuration)
    .option('--json', 'print the cameras as JSON')
    .action(async (files: string[], flags: SimulateFlags) => {
      const { json, duration, faults, onvif, onvifPort, ...options } = flags;
      const simulator = await Simulator.start({
        sources: files,
        ...options,
        ...(onvif ? { onvif: { port: onvifPort } } : {}),
      });
      const devices = simulator.devices.map(({ url }) => url);
      // Before anything is printed: whoever reads it may interrupt at once.
      const ending = lifetime(simulator.exited, duration);
      process.stdout.write(
        json
          ? `${JSON.stringify({ type: 'cameras', urls: simulator.urls, ...(onvif ? { onvif: devices } : {}) })}\n`
          : `${simulator.urls.map((url, index) => lineOf(index, url, devices[index])).join('\n')}\n`,
      );
      if (faults !== undefined)
        void injectRandomFaults(simulator, faults, (news) => {
          process.stdout.write(
            json ? `${JSON.stringify({ type: 'fault', ...news })}\n` : `${inWords(news)}\n`,
          );
        });
      const why = await ending;
      await simulator.stop();
      if (why === 'interrupted') process.exitCode = 130;
      if (why === 'done') process.exitCode = 1;
    });
}

function inWords({ path, kind, seconds }: InjectedFault): string {
  const camera = path.replace('/cam', 'camera ');
  const words: Readonly<Record<FaultKind, string>> = {
    stop: `refuses everybody for ${seconds} s`,
    freeze: `sends nothing for ${seconds} s`,
    loss: `loses 5 % of its packets for ${seconds} s (over UDP)`,
    slow: `sends half of the frames that it declares for ${seconds} s`,
    resize: 'changes its resolution',
    clock: 'sets its clock anew',
  };
  return `${camera} ${words[kind]}`;
}

function lineOf(index: number, url: string, device: string | undefined): string {
  return `camera ${index + 1}: ${url}${device === undefined ? '' : `, ${device}`}`;
}

function size(text: string): readonly [number, number] {
  const match = /^(\d{2,5})x(\d{2,5})$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be width and height, such as 1280x720.');
  return [Number(match[1]) & ~1, Number(match[2]) & ~1];
}
