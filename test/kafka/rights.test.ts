import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyRights } from '../../src/app/verify-rights.ts';
import { type KafkaCommand, rightsOf } from '../../src/cluster/rights.ts';
import { configSchema } from '../../src/config/schema.ts';
import { checkBrokers, checkCommandRights } from '../../src/doctor/kafka-checks.ts';
import { createMissingTopics, withAdmin } from '../../src/kafka/admin.ts';
import { checkRights, type Right, rightText } from '../../src/kafka/rights.ts';
import { topicSpecs } from '../../src/records/topics.ts';
import { startAclBroker } from '../broker/acl-broker.ts';
import type { KafkaBroker } from '../broker/kafka-broker.ts';

const PASSWORD = 'canary-44d1';
const USERS = ['nobody', 'writer', 'half', 'inference'];
const PREFIX = 'rights.';

let broker: KafkaBroker;
let admin: Admin;
beforeAll(async () => {
  broker = await startAclBroker(USERS, PASSWORD);
  admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    topics: ['frames', 'activations', 'cameras', 'crops', 'infer-state'].map((name) => ({
      topic: `${PREFIX}${name}`,
      numPartitions: 1,
    })),
  });
  await allow(
    'writer',
    ['frames', 'activations', 'cameras', 'deadletter'].map((name) => write(name)),
  );
  await allow('half', [write('frames'), { ...write('cameras'), operation: 'Describe' }]);
  await allow('inference', rightsOf('infer', configOf('inference')));
}, 180_000);
afterAll(async () => {
  await admin?.disconnect();
  await broker?.stop();
});

const write = (name: string): Right => ({ operation: 'Write', resource: 'topic', name: `${PREFIX}${name}` });

function configOf(username: string, kafka: object = {}) {
  return configSchema.parse({
    kafka: {
      brokers: [broker.secured],
      topicPrefix: PREFIX,
      sasl: { mechanism: 'SCRAM-SHA-512', username, password: PASSWORD },
      ...kafka,
    },
  });
}

async function allow(user: string, rights: readonly Right[]): Promise<void> {
  const resources = {
    topic: AclResourceTypes.TOPIC,
    group: AclResourceTypes.GROUP,
    transactionalId: AclResourceTypes.TRANSACTIONAL_ID,
  };
  await admin.createAcls({
    acl: rights.map(({ operation, resource, name, prefix }) => ({
      principal: `User:${user}`,
      host: '*',
      resourceType: resources[resource],
      resourceName: name,
      resourcePatternType: prefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      operation: AclOperationTypes[operation.toUpperCase() as 'WRITE'],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  });
}

/** Without them two workers with one camera are not noticed. */
const OWNERS = ['Read on topic rights.cameras', 'Read on group rights.cameras-tail'];

async function missing(user: string, command: KafkaCommand): Promise<string[]> {
  const config = configOf(user);
  return (await checkRights(config.kafka, rightsOf(command, config))).missing.map(rightText);
}

describe('the rights of a user', () => {
  it('are told one by one: which operation on which topic, group or transactional id', async () => {
    expect(await missing('half', 'run')).toEqual([
      'Write on topic rights.activations',
      'Write on topic rights.cameras',
      ...OWNERS,
      'Write on topic rights.deadletter',
    ]);
    expect(await missing('nobody', 'infer')).toEqual([
      'Read on topic rights.crops',
      'Read on topic rights.infer-state',
      'Write on topic rights.infer-state',
      'Write on topic rights.frames',
      'Write on topic rights.activations',
      'Write on topic rights.deadletter',
      'Read on group austream-infer',
      'Write on each transactional id that begins with austream-infer-',
    ]);
    expect(await missing('writer', 'tail')).toContain('Read on each group that begins with austream-tail-');
    expect(await missing('writer', 'run')).toEqual(OWNERS);
    expect(await missing('inference', 'infer')).toEqual([]);
  });

  it('end a start that cannot work, with the call that gives them; Write alone is enough', async () => {
    for (const command of ['run', 'ingest', 'infer'] as const) {
      const error = await verifyRights(configOf('half'), command).catch((caught) => caught);
      expect(error).toMatchObject({
        code: 'KAFKA_REJECTED',
        message: expect.stringContaining('does not give user half the right '),
        fix: expect.stringContaining('kafka-acls.sh --add --allow-principal User:half --operation '),
      });
      expect(error.message).toContain(
        command === 'infer' ? 'Read on topic rights.crops' : 'Write on topic rights.cameras',
      );
      expect(error.message).not.toContain('rights.deadletter');
    }
    // Nobody has created rights.deadletter, and this user cannot: run works without it.
    await verifyRights(configOf('writer'), 'run');
    const refused: string[] = [];
    const { kafka } = configOf('writer');
    await withAdmin(kafka, (client) =>
      createMissingTopics(client, topicSpecs(kafka), (topic) => refused.push(topic)),
    );
    expect(refused).toEqual(['rights.deadletter']);
    await expect(
      withAdmin(kafka, (client) => createMissingTopics(client, topicSpecs(kafka))),
    ).rejects.toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringMatching(/Create .*rights\.deadletter/),
    });
  });

  it('to create a topic that does not exist are needed only then', async () => {
    await allow(
      'writer',
      ['frames', 'activations', 'cameras'].map((name) => ({ ...write(name), name: `absent.${name}` })),
    );
    const absent = configOf('writer', { topicPrefix: 'absent.' });
    await expect(verifyRights(absent, 'run')).rejects.toThrow(
      /Create on topic absent\.frames, Create on topic/,
    );
  });
});

describe('doctor', () => {
  it('tells a topic that does not exist from one that this user may not see', async () => {
    expect(await checkBrokers(configOf('nobody'))).toMatchObject({ state: 'ok' });
    expect(await checkCommandRights(configOf('half'), 'run')).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('Write on topic rights.activations'),
    });
    expect(await checkCommandRights(configOf('inference'), 'infer')).toMatchObject({
      state: 'note',
      detail: expect.stringMatching(
        /^no topic rights\.deadletter yet, and user inference lacks Create on topic rights\.deadletter/,
      ),
    });
    const absent = configOf('writer', { topicPrefix: 'absent.', topics: { create: false } });
    expect(await checkCommandRights(absent, 'run')).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('no topic absent.frames'),
    });
    const anonymous = configSchema.parse({ kafka: { brokers: [broker.address], topicPrefix: 'absent.' } });
    expect(await checkCommandRights(anonymous, 'run')).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('no topic absent.frames'),
    });
  });
});
