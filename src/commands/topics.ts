import { Command } from 'commander';
import { clusterTopicSpecs } from '../cluster/topics.ts';
import { loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import {
  createTopics,
  describeTopics,
  type TopicChange,
  type TopicSpec,
  type TopicState,
  withAdmin,
} from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { topicSpecs } from '../records/topics.ts';

interface TopicsOptions {
  config: string;
  crops?: boolean;
  json?: boolean;
}

/** `austream topics create|describe`: the topics of a config on its brokers. */
export function topicsCommand(): Command {
  return new Command('topics')
    .description('Create or describe the topics of a config')
    .addCommand(
      sub('create', 'Create what is missing and adapt what differs; never takes partitions away').action(
        async (options: TopicsOptions) => {
          const kafka = brokersOf(options);
          const changes = await withAdmin(kafka, (admin) => createTopics(admin, specsOf(kafka, options)));
          if (options.json) process.stdout.write(`${JSON.stringify(changes)}\n`);
          else for (const change of changes) process.stdout.write(`${sentence(change)}\n`);
        },
      ),
    )
    .addCommand(
      sub('describe', 'Show the topics as they are, and where they differ from the config').action(
        async (options: TopicsOptions) => {
          const kafka = brokersOf(options);
          const states = await withAdmin(kafka, (admin) => describeTopics(admin, specsOf(kafka, options)));
          if (options.json) process.stdout.write(`${JSON.stringify(states)}\n`);
          else for (const state of states) process.stdout.write(`${description(state)}\n`);
        },
      ),
    );
}

function sub(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--crops', 'also the topics that only a cluster of ingest and infer workers needs')
    .option('--json', 'print the result as JSON');
}

function specsOf(kafka: KafkaOptions, { crops }: TopicsOptions): TopicSpec[] {
  return crops === true ? clusterTopicSpecs(kafka) : topicSpecs(kafka);
}

function brokersOf({ config }: TopicsOptions): KafkaOptions {
  const { kafka } = loadConfig(config);
  if (!kafka.embedded) return kafka;
  throw new AustreamError(
    'ARGUMENT_INVALID',
    `${config} uses the embedded broker, whose topics exist by themselves`,
    {
      fix: 'give a config with kafka.brokers',
    },
  );
}

function sentence({ topic, created, changed }: TopicChange): string {
  if (created) return `${topic}: created`;
  if (changed.length === 0) return `${topic}: as it should be`;
  return `${topic}: ${changed.map(({ setting, from, to }) => `${setting} ${from} → ${to}`).join(', ')}`;
}

function description({ topic, exists, partitions, replication, config, differs }: TopicState): string {
  if (!exists) return `${topic}: does not exist (austream topics create makes it)`;
  const settings = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  const line = `${topic}: ${partitions} partitions, ${replication} replicas, ${settings.join(' ')}`;
  return [
    line,
    ...differs.map(({ setting, from, to }) => `  ${setting} is ${from}, the config says ${to}`),
  ].join('\n');
}
