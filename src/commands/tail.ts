import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { loadConfig } from '../config/schema.ts';
import { type ConsumedEvent, type ConsumeOptions, consume } from '../consume/index.ts';
import { AustreamError } from '../errors.ts';
import { kafkajsConnection } from '../kafka/connection.ts';
import { type KafkaOptions, kafkaOptions } from '../kafka/options.ts';
import { topicNames } from '../records/topics.ts';
import { Renderer } from '../terminal/renderer.ts';
import { parseDuration } from './duration.ts';
import { lifetime } from './lifetime.ts';

interface TailOptions {
  config?: string;
  brokers?: string;
  topicPrefix?: string;
  registry?: string;
  fromBeginning?: boolean;
  duration?: number;
  json?: boolean;
}

/** `austream tail`: events of a broker, live, for people or (with --json) for programs. */
export function tailCommand(): Command {
  return new Command('tail')
    .description('Show events as they arrive on the topics: one line a face with its 12 AUs')
    .option('-c, --config <file>', 'take the brokers from this config file')
    .option('--brokers <host:port,…>', 'brokers to read from')
    .option('--topic-prefix <prefix>', 'prefix of the topics (default: the config’s, or au.)')
    .option('--registry <url>', 'schema registry, where the producer uses one (default: the config’s)')
    .option('--from-beginning', 'begin with the oldest events there are, not with those to come')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events as JSON lines')
    .action(async (options: TailOptions) => {
      const kafka = kafkaOf(options);
      const leave = new AbortController();
      const done = follow(consumeOptions(kafka, options, leave.signal), options.json === true);
      const ending = await lifetime(done, options.duration);
      leave.abort();
      await done;
      if (ending === 'interrupted') process.exitCode = 130;
    });
}

async function follow(options: Omit<ConsumeOptions, 'onPoison'>, json: boolean): Promise<void> {
  const renderer = new Renderer(process.stdout);
  const warn = (line: string) => (json ? process.stderr.write(`austream: ${line}\n`) : renderer.note(line));
  const events = consume({
    ...options,
    onPoison: ({ topic, partition, offset, detail }) => {
      warn(`${topic}[${partition}]@${offset} cannot be read: ${detail}`);
    },
  });
  try {
    for await (const event of events) {
      if (json) process.stdout.write(`${JSON.stringify(jsonLine(event))}\n`);
      else show(renderer, event);
    }
  } finally {
    renderer.close();
  }
}

export function show(renderer: Renderer, event: ConsumedEvent): void {
  if (event.record === 'AuFrame') renderer.frame(event.value);
  else if (event.record === 'AuActivation') renderer.activation(event.value);
  else if (event.record === 'CameraStatus') renderer.status(event.value);
}

const LINE_TYPES = {
  AuFrame: 'frame',
  AuActivation: 'activation',
  CameraStatus: 'camera',
  FaceCropBatch: 'crops',
  DeadLetter: 'deadletter',
} as const;

/** The same lines as `austream run --json`. */
export function jsonLine(event: ConsumedEvent): object {
  return { type: LINE_TYPES[event.record], ...event.value };
}

function kafkaOf({ config, brokers, topicPrefix, registry }: TailOptions): KafkaOptions {
  if (!config && !brokers)
    throw new AustreamError('ARGUMENT_INVALID', 'tail needs to know the brokers', {
      fix: 'give --brokers host:port, or -c with a config file',
    });
  const base = config ? loadConfig(config).kafka : kafkaOptions.parse({ embedded: true });
  if (config && base.embedded && !brokers)
    throw new AustreamError('ARGUMENT_INVALID', `${config} uses the embedded broker, whose address changes`, {
      fix: 'give --brokers with the address that austream run printed when it started',
    });
  const list = brokers?.split(',').map((broker) => broker.trim());
  const wrong = list?.find((broker) => !/^[^\s/]+:\d+$/.test(broker));
  if (wrong !== undefined)
    throw new AustreamError('ARGUMENT_INVALID', `--brokers: '${wrong}' must be host:port`);
  return {
    ...base,
    ...(list ? { brokers: list } : {}),
    ...(topicPrefix === undefined ? {} : { topicPrefix }),
    ...(registry === undefined
      ? {}
      : { registry: kafkaOptions.shape.registry.unwrap().parse({ url: registry }) }),
  };
}

function consumeOptions(
  kafka: KafkaOptions,
  options: TailOptions,
  signal: AbortSignal,
): Omit<ConsumeOptions, 'onPoison'> {
  const names = topicNames(kafka.topicPrefix);
  const { ssl, sasl, brokers } = kafkajsConnection(kafka);
  const { registry } = kafka;
  return {
    brokers: brokers as string[],
    ssl,
    sasl,
    ...(registry ? { registry } : {}),
    topics: [names.AuFrame, names.AuActivation, names.CameraStatus],
    groupId: `austream-tail-${randomUUID()}`,
    commit: false,
    fromBeginning: options.fromBeginning === true,
    signal,
  };
}
