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
import { printableFields } from '../printable.ts';
import { topicSpecs } from '../records/topics.ts';
import { printJson, printLine } from './output.ts';

interface TopicsFlags {
  config: string;
  crops?: boolean;
  json?: boolean;
}

/** `austream topics create|describe`: creates or describes the topics of a config on its brokers. */
export function topicsCommand(): Command {
  return new Command('topics')
    .description('Create or describe the topics of a config')
    .addCommand(
      subcommand(
        'create',
        'Create missing topics and change settings that differ; never removes partitions',
      ).action(async (flags: TopicsFlags) => {
        const kafka = externalKafka(flags);
        const changes = await withAdmin(kafka, (admin) => createTopics(admin, topicSpecsFor(kafka, flags)));
        if (flags.json) printJson(changes);
        else for (const change of changes) printLine(changeText(printableFields(change)));
      }),
    )
    .addCommand(
      subcommand('describe', 'Show the topics, and where they differ from the config').action(
        async (flags: TopicsFlags) => {
          const kafka = externalKafka(flags);
          const states = await withAdmin(kafka, (admin) =>
            describeTopics(admin, topicSpecsFor(kafka, flags)),
          );
          if (flags.json) printJson(states);
          else for (const state of states) printLine(stateText(printableFields(state)));
        },
      ),
    );
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--crops', 'also the topics that only a cluster of ingest and inference workers needs')
    .option('--json', 'print the result as JSON');
}

function topicSpecsFor(kafka: KafkaOptions, { crops }: TopicsFlags): TopicSpec[] {
  return crops === true ? clusterTopicSpecs(kafka) : topicSpecs(kafka);
}

/** Throws ARGUMENT_INVALID for the embedded broker. */
function externalKafka({ config }: TopicsFlags): KafkaOptions {
  const { kafka } = loadConfig(config);
  if (!kafka.embedded) return kafka;
  throw new AustreamError(
    'ARGUMENT_INVALID',
    `${config} uses the embedded broker, which creates its topics itself`,
    {
      fix: 'give a config with kafka.brokers',
    },
  );
}

function changeText({ topic, created, changed }: TopicChange): string {
  if (created) return `${topic}: created`;
  if (changed.length === 0) return `${topic}: up to date`;
  return `${topic}: ${changed.map(({ setting, from, to }) => `${setting} ${from} → ${to}`).join(', ')}`;
}

function stateText({ topic, exists, partitions, replication, config, differs }: TopicState): string {
  if (!exists) return `${topic}: does not exist (austream topics create makes it)`;
  const settings = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  const line = `${topic}: ${partitions} partitions, ${replication} replicas, ${settings.join(' ')}`;
  return [
    line,
    ...differs.map(({ setting, from, to }) => `  ${setting} is ${from}, the config says ${to}`),
  ].join('\n');
}
