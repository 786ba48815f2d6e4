import { Command } from 'commander';
import { describeClock } from '../onvif/clock.ts';
import { discover, type FoundDevice } from '../onvif/discover.ts';
import { parseDuration } from './duration.ts';

interface Flags {
  timeout: number;
  interface?: string;
  json?: boolean;
}

/** `austream cameras discover`: the ONVIF devices of the networks that this machine is in. */
export function discoverCommand(): Command {
  return new Command('discover')
    .description('Find ONVIF cameras on this machine’s networks')
    .option('--timeout <time>', 'wait this long for answers', parseDuration, 3_000)
    .option(
      '--interface <name>',
      'only the network of this interface, such as eth0 (default: all but loopback)',
    )
    .option('--json', 'print the cameras as JSON')
    .action(async ({ timeout, json, ...options }: Flags) => {
      const devices = await discover({ timeoutMs: timeout, ...options });
      if (json) process.stdout.write(`${JSON.stringify(devices)}\n`);
      else if (devices.length > 0) process.stdout.write(devices.map(lineOf).join(''));
      else process.stdout.write('no camera answered; see docs/cameras.md, Finding cameras\n');
    });
}

function lineOf({ url, name, hardware, clock }: FoundDevice): string {
  const time = clock === null ? 'does not tell its time' : `its clock is ${describeClock(clock)}`;
  return `${[url, name, hardware, time].filter((part) => part !== null).join(', ')}\n`;
}
