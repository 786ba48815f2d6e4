import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { parseYaml } from '../config/yaml.ts';
import { AustreamError } from '../errors.ts';
import { refuseLiteral, type TargetFlags, targetOf } from './camera-target.ts';
import { discoverCommand } from './cameras-discover.ts';

interface Flags extends TargetFlags {
  json?: boolean;
}

interface AddFlags extends Flags {
  url?: string;
  username?: string;
  password?: string;
  passwordFile?: string;
  transport?: string;
  fps?: number;
  decoder?: string;
  from?: string;
}

/** `austream cameras discover`, and `list|add|remove` of the austream that runs here, or of a cluster. */
export function camerasCommand(): Command {
  return new Command('cameras')
    .description('Find cameras; list, add and remove them while austream runs')
    .addCommand(discoverCommand())
    .addCommand(
      sub('list', 'Show the cameras').action(async (options: Flags) => {
        const cameras = await targetOf(options).list();
        if (options.json) print(JSON.stringify(cameras.map(({ json }) => json)));
        else if (cameras.length === 0) print('no cameras');
        else for (const { text } of cameras) print(text);
      }),
    )
    .addCommand(
      sub('add', 'Add a camera, or change the one of this id')
        .argument('[id]', 'the camera’s id')
        .option('--url <url>', 'rtsp://… or onvif://… without a password')
        .option('--username <name>')
        .option(
          '--password <reference>',
          "'${NAME}' or '${file:/path}', as this shell or the ingest workers have it",
        )
        .option('--password-file <path>', 'a file that holds the password, where austream runs')
        .addOption(new Option('--transport <kind>').choices(['tcp', 'udp']))
        .option('--fps <number>', 'frames analysed a second', Number)
        .addOption(new Option('--decoder <kind>').choices(['auto', 'software', 'nvdec', 'vaapi']))
        .option(
          '--from <file>',
          'add all cameras of a config file (YAML), or of what list --json of a cluster printed',
        )
        .action(async (id: string | undefined, options: AddFlags) => {
          const cameras = options.from ? camerasOf(options.from) : [cameraOf(id, options)];
          report(options, 'added', await targetOf(options).add(cameras));
        }),
    )
    .addCommand(
      sub('remove', 'Remove cameras')
        .argument('<id...>', 'ids')
        .action(async (ids: string[], options: Flags) => {
          await targetOf(options).remove(ids);
          report(options, 'removed', Object.fromEntries(ids.map((id) => [id, 'removed'])));
        }),
    );
}

function sub(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--socket <path>', 'of the austream that runs here (default: its usual place)')
    .option('--brokers <list>', 'of a cluster: host:port, comma-separated')
    .option('--prefix <prefix>', 'of the cluster’s topics (default au.)')
    .option(
      '-c, --config <file>',
      'take the socket, or with cluster.cameras: topic the brokers, from a config',
    )
    .option('--json', 'print the result as JSON');
}

function cameraOf(id: string | undefined, options: AddFlags): unknown {
  const { url, username, password, passwordFile, transport, fps, decoder } = options;
  refuseLiteral(password);
  const given = { id, url, username, password, passwordFile, transport, analysisFps: fps, decoder };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** References stay references: the file is not read as a config of this host. */
function camerasOf(file: string): unknown[] {
  const given = contentOf(file) as { cameras?: unknown } | null;
  const cameras = Array.isArray(given) ? given : given?.cameras;
  if (!Array.isArray(cameras) || cameras.length === 0)
    throw new AustreamError('ARGUMENT_INVALID', `${file} has no cameras`, {
      fix: 'give a config file with cameras, or what austream cameras list --json printed of a cluster',
    });
  return cameras;
}

function contentOf(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AustreamError('ARGUMENT_INVALID', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  const { value, mistakes } = parseYaml(text);
  if (mistakes.length > 0)
    throw new AustreamError('ARGUMENT_INVALID', `${file} is no YAML: ${mistakes.join('; ')}`);
  return value;
}

function report(
  { json }: Flags,
  done: 'added' | 'removed',
  outcomes: Readonly<Record<string, string>>,
): void {
  if (json) print(JSON.stringify({ [done]: Object.keys(outcomes) }));
  else for (const [id, outcome] of Object.entries(outcomes)) print(`${id}: ${outcome}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
