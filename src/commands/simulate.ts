import { Command, InvalidArgumentError, Option } from 'commander';
import { waitForEnd } from '../app/wait-for-end.ts';
import { printableLines } from '../printable.ts';
import { type FaultKind, type InjectedFault, injectRandomFaults } from '../simulate/faults.ts';
import { SIMULATED_CODECS, type SimulatedCodec, Simulator } from '../simulate/simulator.ts';
import { parseDuration } from './duration.ts';
import { EXIT, setExitCode } from './exit-code.ts';
import { integerOption } from './integer-option.ts';
import { jsonLine, printJson, printLine } from './output.ts';
import { PacedOutput } from './paced-output.ts';

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

/** `austream simulate`: RTSP camera simulator, one path per camera. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Serve video files or still images as RTSP cameras that play in a loop')
    .argument('<files...>', 'video files or still images')
    .option('--cameras <n>', 'number of cameras (default: one per file)', integerOption(1, 256))
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0: any free one', integerOption(0, 65_535), 8554)
    .option('--user <name>', 'user name that clients must give')
    .option('--password <password>', 'password that clients must give')
    .addOption(
      new Option('--codec <codec>', 'codec of the streams; files in another one are transcoded').choices(
        SIMULATED_CODECS,
      ),
    )
    .option('--fps <n>', 'frame rate (default: the file’s)', integerOption(1, 120))
    .option('--size <WxH>', 'picture size (default: the file’s; 640x360 for still images)', parseSize)
    .option(
      '--faults <seed>',
      'inject faults (outage, freeze, packet loss …); the same seed gives the same faults',
      integerOption(1, 1e9),
    )
    .option('--onvif', 'also make each camera an ONVIF device that austream cameras discover finds')
    .option(
      '--onvif-port <n>',
      'port of the first ONVIF device; 0: any free ones',
      integerOption(0, 65_535),
      8000,
    )
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print the cameras as JSON')
    .action(async (files: string[], flags: SimulateFlags) => {
      const { json, duration, faults, onvif, onvifPort, ...options } = flags;
      const simulator = await Simulator.start({
        sources: files,
        ...options,
        ...(onvif ? { onvif: { port: onvifPort } } : {}),
      });
      const devices = simulator.devices.map(({ url }) => url);
      // Before the first output: a script may send SIGINT as soon as it reads that.
      const ended = waitForEnd(simulator.exited, duration);
      if (json) printJson({ type: 'cameras', urls: simulator.urls, ...(onvif ? { onvif: devices } : {}) });
      else
        for (const [index, url] of simulator.urls.entries())
          printLine(cameraLine(index, url, devices[index]));
      const output = new PacedOutput();
      if (faults !== undefined)
        void injectRandomFaults(simulator, faults, (fault) =>
          output.write(
            json ? jsonLine({ type: 'fault', ...fault }) : `${printableLines(faultLine(fault))}\n`,
          ),
        );
      const endReason = await ended;
      output.close();
      await simulator.stop();
      setExitCode(endReason, null);
      // The simulator never ends by itself unless it has failed.
      if (endReason === 'done') process.exitCode = EXIT.failed;
    });
}

function faultLine({ path, kind, seconds }: InjectedFault): string {
  const camera = path.replace('/cam', 'camera ');
  const descriptions: Readonly<Record<FaultKind, string>> = {
    stop: `refuses connections for ${seconds} s`,
    freeze: `sends nothing for ${seconds} s`,
    loss: `loses 5 % of its packets for ${seconds} s (over UDP)`,
    slow: `sends half of the frames that it declares for ${seconds} s`,
    resize: 'changes its resolution',
    clock: 'steps its clock',
  };
  return `${camera} ${descriptions[kind]}`;
}

function cameraLine(index: number, url: string, device: string | undefined): string {
  return `camera ${index + 1}: ${url}${device === undefined ? '' : `, ${device}`}`;
}

/** Parses `WxH` for commander; odd sizes are rounded down, because 4:2:0 video needs even ones. */
function parseSize(text: string): readonly [number, number] {
  const match = /^(\d{2,5})x(\d{2,5})$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be width and height, e.g. 1280x720.');
  return [Number(match[1]) & ~1, Number(match[2]) & ~1];
}
