import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { parse } from 'yaml';
import { type CameraDefinition, defineCamera, readCameras, writeCameras } from '../cluster/camera-config.ts';
import { loadConfig } from '../config.ts';
import { AustreamError } from '../errors.ts';
import { type KafkaOptions, kafkaOptions } from '../publish/options.ts';

interface BrokerFlags {
  brokers?: string;
  prefix?: string;
  config?: string;
  json?: boolean;
}

interface AddFlags extends BrokerFlags {
  url?: string;
  username?: string;
  password?: string;
  transport?: string;
  fps?: number;
  decoder?: string;
  from?: string;
}

/** `austream cameras list|add|remove`: the cameras that ingest workers share out among themselves. */
export function camerasCommand(): Command {
  return new Command('cameras')
    .description('List, add and remove the cameras of a cluster (topic <prefix>camera-config)')
    .addCommand(
      sub('list', 'Show the cameras of the topic').action(async (options: BrokerFlags) => {
        const cameras = await readCameras(kafkaOf(options), (id, why) =>
          process.stderr.write(`austream: camera ${id} cannot be read: ${why}\n`),
        );
        if (options.json) print(JSON.stringify(cameras));
        else if (cameras.length === 0) print('no cameras');
        else for (const camera of cameras) print(sentence(camera));
      }),
    )
    .addCommand(
      sub('add', 'Add a camera, or change the one of this id')
        .argument('[id]', 'the camera’s id')
        .option('--url <url>', 'rtsp://… without a password')
        .option('--username <name>')
        .option('--password <reference>', "'${NAME}' or '${file:/path}', as the ingest workers have it")
        .addOption(new Option('--transport <kind>').choices(['tcp', 'udp']))
        .option('--fps <number>', 'frames analysed a second', Number)
        .addOption(new Option('--decoder <kind>').choices(['auto', 'software', 'nvdec', 'vaapi']))
        .option('--from <file>', 'add all cameras of a config file (YAML), as they stand there')
        .action(async (id: string | undefined, options: AddFlags) => {
          const cameras = options.from ? camerasOf(options.from) : [cameraOf(id, options)];
          await writeCameras(kafkaOf(options), new Map(cameras.map((camera) => [camera.id, camera])));
          report(
            options,
            'added',
            cameras.map((camera) => camera.id),
          );
        }),
    )
    .addCommand(
      sub('remove', 'Remove cameras')
        .argument('<id...>', 'ids')
        .action(async (ids: string[], options: BrokerFlags) => {
          const kafka = kafkaOf(options);
          const known = new Set((await readCameras(kafka, () => {})).map((camera) => camera.id));
          const unknown = ids.find((id) => !known.has(id));
          if (unknown !== undefined)
            throw new AustreamError('ARGUMENT_INVALID', `there is no camera ${unknown}`, {
              fix: 'austream cameras list shows them',
            });
          await writeCameras(kafka, new Map(ids.map((id) => [id, null])));
          report(options, 'removed', ids);
        }),
    );
}

function sub(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--brokers <list>', 'host:port, comma-separated')
    .option('--prefix <prefix>', 'of the topics (default au.)')
    .option('-c, --config <file>', 'take brokers, prefix, TLS and SASL from a config file')
    .option('--json', 'print the result as JSON');
}

function kafkaOf({ brokers, prefix, config }: BrokerFlags): KafkaOptions {
  if (config !== undefined && brokers === undefined) return loadConfig(config).kafka;
  if (brokers === undefined || config !== undefined)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      'where are the cameras? Either --brokers or --config is needed',
      {
        fix: 'add --brokers host:9092, or -c with a config file',
      },
    );
  const given = { brokers: brokers.split(','), ...(prefix === undefined ? {} : { topicPrefix: prefix }) };
  const result = kafkaOptions.safeParse(given);
  if (!result.success)
    throw new AustreamError('ARGUMENT_INVALID', `--brokers or --prefix: ${result.error.issues[0]!.message}`);
  return result.data;
}

function cameraOf(id: string | undefined, options: AddFlags): CameraDefinition {
  const { url, username, password, transport, fps, decoder } = options;
  const given = { id, url, username, password, transport, analysisFps: fps, decoder };
  return defineCamera(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
}

/** References stay references: the file is not read as a config of this host. */
function camerasOf(file: string): CameraDefinition[] {
  let cameras: unknown;
  try {
    cameras = (parse(readFileSync(file, 'utf8')) as { cameras?: unknown }).cameras;
  } catch (cause) {
    throw new AustreamError('ARGUMENT_INVALID', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (!Array.isArray(cameras) || cameras.length === 0)
    throw new AustreamError('ARGUMENT_INVALID', `${file} has no cameras`);
  return cameras.map(defineCamera);
}

function sentence({ id, url, username, analysisFps, transport, decoder }: CameraDefinition): string {
  const who = username === undefined ? '' : ` as ${username}`;
  return `${id}: ${url}${who}, ${analysisFps} fps, ${transport}, decoder ${decoder}`;
}

function report({ json }: BrokerFlags, done: 'added' | 'removed', ids: readonly string[]): void {
  if (json) print(JSON.stringify({ [done]: ids }));
  else for (const id of ids) print(`${id}: ${done}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
