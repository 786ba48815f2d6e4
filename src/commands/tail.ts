import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { verifyRights } from '../app/verify-rights.ts';
import { waitForEnd } from '../app/wait-for-end.ts';
import { clusterOptions } from '../cluster/options.ts';
import { loadConfig } from '../config/schema.ts';
import { type ConsumedEvent, type ConsumeOptions, consume } from '../consume/index.ts';
import { AustreamError } from '../errors.ts';
import { describeIssues } from '../issues.ts';
import { kafkajsConnection } from '../kafka/connection.ts';
import { type KafkaOptions, kafkaOptions, type RegistryOptions, registryOptions } from '../kafka/options.ts';
import { printable } from '../printable.ts';
import { topicNames } from '../records/topics.ts';
import { Renderer } from '../terminal/renderer.ts';
import { brokersFlag } from './brokers-flag.ts';
import { parseDuration } from './duration.ts';
import { setExitCode } from './exit-code.ts';
import { jsonLine, printNote } from './output.ts';
import { PacedOutput } from './paced-output.ts';

interface TailFlags {
  config?: string;
  brokers?: string;
  topicPrefix?: string;
  registry?: string;
  fromBeginning?: boolean;
  duration?: number;
  json?: boolean;
}

/** `austream tail`: shows live events of a broker, or prints them as JSON lines. */
export function tailCommand(): Command {
  return new Command('tail')
    .description('Show events as they arrive on the topics: one line per face with its 12 AUs')
    .option('-c, --config <file>', 'take the brokers from this config file')
    .option('--brokers <host:port,…>', 'brokers to read from')
    .option('--topic-prefix <prefix>', 'prefix of the topics (default: the config’s, else au.)')
    .option('--registry <url>', 'schema registry, if the producer uses one (default: the config’s)')
    .option('--from-beginning', 'begin with the oldest retained events instead of new ones')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events as JSON lines')
    .action(async (flags: TailFlags) => {
      const kafka = kafkaFromFlags(flags);
      await verifyRights({ kafka, cluster: clusterOptions.parse({}) }, 'tail');
      const stopConsuming = new AbortController();
      const done = printEvents(consumeOptions(kafka, flags, stopConsuming.signal), flags);
      const endReason = await waitForEnd(done, flags.duration);
      stopConsuming.abort();
      await done;
      setExitCode(endReason, null);
    });
}

/** Old events wait for the reader of the output; of new ones a slow reader misses some, which are counted. */
async function printEvents(
  options: Omit<ConsumeOptions, 'onPoison'>,
  { json = false, fromBeginning = false }: TailFlags,
): Promise<void> {
  const output = new PacedOutput();
  const renderer = new Renderer(output);
  const warn = (line: string) => (json ? printNote(`austream: ${printable(line)}`) : renderer.note(line));
  const events = consume({
    ...options,
    onPoison: ({ topic, partition, offset, detail }) => {
      warn(`${topic}[${partition}]@${offset} cannot be read: ${detail}`);
    },
    onReset: ({ topic, partition, from, to, why }) =>
      warn(
        `${topic}[${partition}] goes on at its oldest event, offset ${to} instead of ${from ?? 'none'}: ${why}`,
      ),
    onRetry: (problem) => warn(problem ? `${problem.message}; tail waits` : 'events arrive again'),
  });
  try {
    for await (const event of events) {
      if (json) output.write(jsonLine(lineOf(event)));
      else renderEvent(renderer, event);
      if (fromBeginning) await output.room(options.signal);
    }
  } finally {
    renderer.close();
    output.close();
  }
}

/** As in `austream run --json`. A key that was deleted from a compacted topic is a line of its own. */
function lineOf({ record, value, topic, key }: ConsumedEvent): object {
  return value ? { type: LINE_TYPES[record], ...value } : { type: LINE_TYPES[record], topic, key };
}

export function renderEvent(renderer: Renderer, event: ConsumedEvent): void {
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
  Tombstone: 'tombstone',
} as const;

function kafkaFromFlags({ config, brokers, topicPrefix, registry }: TailFlags): KafkaOptions {
  if (!config && !brokers)
    throw new AustreamError('ARGUMENT_INVALID', 'tail needs brokers', {
      fix: 'give --brokers host:port, or -c with a config file',
    });
  const base = config ? loadConfig(config).kafka : kafkaOptions.parse({ embedded: true });
  if (config && base.embedded && !brokers)
    throw new AustreamError('ARGUMENT_INVALID', `${config} uses the embedded broker, whose address changes`, {
      fix: 'give --brokers with the address that austream run printed when it started',
    });
  return {
    ...base,
    ...(brokers ? { brokers: brokersFlag(brokers) } : {}),
    ...(topicPrefix === undefined ? {} : { topicPrefix }),
    ...(registry === undefined ? {} : { registry: parseRegistry(registry) }),
  };
}

function parseRegistry(url: string): RegistryOptions {
  const result = registryOptions.safeParse({ url });
  if (result.success) return result.data;
  throw new AustreamError('ARGUMENT_INVALID', `--registry: ${describeIssues(result.error)}`, {
    fix: 'give the URL of a schema registry, such as http://localhost:8081',
  });
}

function consumeOptions(
  kafka: KafkaOptions,
  flags: TailFlags,
  signal: AbortSignal,
): Omit<ConsumeOptions, 'onPoison'> {
  const names = topicNames(kafka.topicPrefix);
  const { ssl, sasl } = kafkajsConnection(kafka);
  const { registry } = kafka;
  return {
    brokers: kafka.brokers!,
    ssl,
    sasl,
    ...(registry ? { registry } : {}),
    topics: [names.AuFrame, names.AuActivation, names.CameraStatus],
    groupId: `austream-tail-${randomUUID()}`,
    commit: false,
    fromBeginning: flags.fromBeginning === true,
    signal,
  };
}
