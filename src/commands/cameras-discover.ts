import { Command } from 'commander';
import { describeClock } from '../onvif/clock.ts';
import { discover, type FoundDevice } from '../onvif/discover.ts';
import { printable } from '../printable.ts';
import { parseDuration } from './duration.ts';
import { printJson, printLine } from './output.ts';

interface Flags {
  timeout: number;
  interface?: string;
  json?: boolean;
}

/** `austream cameras discover`: finds ONVIF devices on the networks of this machine. */
export function discoverCommand(): Command {
  return new Command('discover')
    .description('Find ONVIF cameras on this machine’s networks')
    .option('--timeout <time>', 'wait this long for answers', parseDuration, 3_000)
    .option(
      '--interface <name>',
      'search only the network of this interface, e.g. eth0 (default: all but loopback)',
    )
    .option('--json', 'print the cameras as JSON')
    .action(async ({ timeout, json, ...options }: Flags) => {
      const devices = await discover({ timeoutMs: timeout, ...options });
      if (json) printJson(devices);
      else if (devices.length > 0) for (const device of devices) printLine(deviceLine(device));
      else printLine('no camera answered; see docs/cameras.md, Finding cameras');
    });
}

function deviceLine({ url, name, hardware, clock }: FoundDevice): string {
  const time = clock === null ? 'clock unknown' : `its clock is ${describeClock(clock)}`;
  return [url, name, hardware, time]
    .filter((part) => part !== null)
    .map((part) => printable(part))
    .join(', ');
}
