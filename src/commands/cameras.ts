import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { parseYaml } from '../config/yaml.ts';
import { AustreamError } from '../errors.ts';
import { openCameraTarget, requireReference, type TargetFlags } from './camera-target.ts';
import { discoverCommand } from './cameras-discover.ts';
import { printJson, printLine } from './output.ts';

interface Flags extends TargetFlags {
  json?: boolean;
}

interface AddFlags extends Flags {
  url?: string;
  username?: string;
  password?: string;
  passwordFile?: string;
  auth?: string;
  transport?: string;
  fps?: number;
  decoder?: string;
  from?: string;
}

/** `austream cameras discover`, and `list|add|remove|pause|resume` for the austream that runs here or for a cluster. */
export function camerasCommand(): Command {
  return new Command('cameras')
    .description('Find cameras; list, add, remove and pause them while austream runs')
    .addCommand(discoverCommand())
    .addCommand(
      subcommand('list', 'Show the cameras').action(async (flags: Flags) => {
        const cameras = await openCameraTarget(flags).list();
        if (flags.json) printJson(cameras.map(({ json }) => json));
        else if (cameras.length === 0) printLine('no cameras');
        else for (const { text } of cameras) printLine(text);
      }),
    )
    .addCommand(
      subcommand('add', 'Add a camera, or change the camera with this id')
        .argument('[id]', 'the camera’s id')
        .option('--url <url>', 'rtsp://… or onvif://… without a password')
        .option('--username <name>')
        .option(
          '--password <reference>',
          "'${NAME}' or '${file:/path}', resolved by this shell or by the cluster’s ingest workers",
        )
        .option(
          '--password-file <path>',
          'file with the password on the machine where austream runs, below its cluster.secrets.dir',
        )
        .addOption(
          new Option('--auth <kind>', 'digest never sends the password itself').choices(['auto', 'digest']),
        )
        .addOption(new Option('--transport <kind>').choices(['tcp', 'udp']))
        .option('--fps <number>', 'frames analysed a second', Number)
        .addOption(new Option('--decoder <kind>').choices(['auto', 'software', 'nvdec', 'vaapi']))
        .option(
          '--from <file>',
          'add all cameras of a config file (YAML), or of the output of list --json for a cluster',
        )
        .action(async (id: string | undefined, flags: AddFlags) => {
          const cameras = flags.from ? readCameras(flags.from) : [cameraFromFlags(id, flags)];
          printOutcomes(flags, 'added', await openCameraTarget(flags).add(cameras));
        }),
    )
    .addCommand(
      subcommand('remove', 'Remove cameras')
        .argument('<id...>', 'ids of the cameras')
        .action(async (ids: string[], flags: Flags) => {
          await openCameraTarget(flags).remove(ids);
          printOutcomes(flags, 'removed', Object.fromEntries(ids.map((id) => [id, 'removed'])));
        }),
    )
    .addCommand(pauseCommand('pause', 'Disconnect cameras until they are resumed; they stay in the list'))
    .addCommand(pauseCommand('resume', 'Connect paused cameras again'));
}

function pauseCommand(name: 'pause' | 'resume', description: string): Command {
  return subcommand(name, description)
    .argument('<id...>', 'ids of the cameras')
    .action(async (ids: string[], flags: Flags) => {
      const outcomes = await openCameraTarget(flags).setPaused(ids, name === 'pause');
      printOutcomes(flags, name === 'pause' ? 'paused' : 'resumed', outcomes);
    });
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--socket <path>', 'control socket of the austream that runs here (default: its default path)')
    .option('--brokers <list>', 'brokers of a cluster: host:port, comma-separated')
    .option('--prefix <prefix>', 'prefix of the cluster’s topics (default: au.)')
    .option(
      '-c, --config <file>',
      'take the control socket from this config, or the brokers if it has cluster.cameras: topic',
    )
    .option('--json', 'print the result as JSON');
}

function cameraFromFlags(id: string | undefined, flags: AddFlags): unknown {
  const { url, username, password, passwordFile, auth, transport, fps, decoder } = flags;
  requireReference(password);
  const camera = { id, url, username, password, passwordFile, auth, transport, analysisFps: fps, decoder };
  return Object.fromEntries(Object.entries(camera).filter(([, value]) => value !== undefined));
}

/** Reads the cameras of a file. Secret references stay unresolved: the file is not loaded as this machine's config. */
function readCameras(file: string): unknown[] {
  const content = readYaml(file) as { cameras?: unknown } | null;
  const cameras = Array.isArray(content) ? content : content?.cameras;
  if (!Array.isArray(cameras) || cameras.length === 0)
    throw new AustreamError('ARGUMENT_INVALID', `${file} has no cameras`, {
      fix: 'give a config file with cameras, or the output of austream cameras list --json for a cluster',
    });
  return cameras;
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AustreamError('ARGUMENT_INVALID', `${file} cannot be read: ${(cause as Error).message}`, {
      fix: 'check the path of --from',
      cause,
    });
  }
  const { value, issues } = parseYaml(text);
  if (issues.length > 0)
    throw new AustreamError('ARGUMENT_INVALID', `${file} is not valid YAML: ${issues.join('; ')}`, {
      fix: 'correct the file at the line that is named',
    });
  return value;
}

function printOutcomes(
  { json }: Flags,
  action: 'added' | 'removed' | 'paused' | 'resumed',
  outcomes: Readonly<Record<string, string>>,
): void {
  if (json) printJson({ [action]: Object.keys(outcomes) });
  else for (const [id, outcome] of Object.entries(outcomes)) printLine(`${id}: ${outcome}`);
}
