import { Command } from 'commander';
import { loadConfig } from '../config/schema.ts';
import { sendControlRequest } from '../control/client.ts';
import { controlSocket } from '../control/options.ts';
import { AustreamError } from '../errors.ts';
import { printJson, printLine } from './output.ts';

/** `austream dashboard`: a link that opens the live page of the austream that runs on this machine. */
export function dashboardCommand(): Command {
  return new Command('dashboard')
    .description('Print a link that opens the live page of the austream that runs here; it works once')
    .option('--socket <path>', 'control socket of that austream (default: its default path)')
    .option('-c, --config <file>', 'take the control socket from this config')
    .option('--json', 'print the link as JSON')
    .action(async ({ socket, config, json }: { socket?: string; config?: string; json?: boolean }) => {
      const path = socket ?? controlSocket(config === undefined ? {} : loadConfig(config).control);
      if (path === null)
        throw new AustreamError('ARGUMENT_INVALID', `${config} has control.socket: null`, {
          fix: 'name who may see the live page in dashboard.users, or remove control.socket from the config',
        });
      const { link } = await sendControlRequest(path, { op: 'link' });
      if (json) printJson({ link });
      else printLine(link);
    });
}
