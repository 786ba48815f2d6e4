import { type KafkaCommand, rightsOf } from '../cluster/rights.ts';
import type { Config } from '../config/schema.ts';
import type { AustreamError } from '../errors.ts';
import { withAdmin } from '../kafka/admin.ts';
import { checkRights, principalOf, type Right, rightsFix, rightText, uncreatable } from '../kafka/rights.ts';
import type { Finding } from './host-checks.ts';

const TIMEOUT_MS = 3_000;

/** Whether the brokers answer, and which topics of the command they have. */
export async function checkBrokers({ kafka }: Config): Promise<Finding> {
  const name = 'Kafka';
  if (kafka.embedded) return { name, state: 'ok', detail: 'embedded in austream run' };
  try {
    const { brokers } = await withAdmin(kafka, (admin) => admin.describeCluster(), {
      connectMs: TIMEOUT_MS,
      retries: 1,
    });
    return { name, state: 'ok', detail: `${brokers.length} broker(s)` };
  } catch (error) {
    return failed(name, error);
  }
}

/** The rights that a command needs. A topic that does not exist is told apart from one that this user may not see. */
export async function checkCommandRights(config: Config, command: KafkaCommand): Promise<Finding> {
  const { kafka } = config;
  const name = `Kafka, rights of ${command}`;
  try {
    const rights = rightsOf(command, config);
    const { missing, absent, unknown } = await checkRights(kafka, rights, { connectMs: TIMEOUT_MS });
    const needed = missing.filter(({ optional }) => !optional);
    if (needed.length > 0) return lacking(config, name, missing, 'missing');
    if (absent.length > 0) return await absentTopics(config, name, rights, absent);
    if (missing.length > 0) return lacking(config, name, missing, 'note');
    return unknown.length > 0
      ? {
          name,
          state: 'note',
          detail: 'all topics exist; these brokers do not tell rights (Kafka before 2.3)',
        }
      : { name, state: 'ok', detail: `all topics exist, and ${principalOf(kafka)} has every right` };
  } catch (error) {
    return failed(name, error);
  }
}

function lacking(
  { kafka }: Config,
  name: string,
  missing: readonly Right[],
  state: 'missing' | 'note',
): Finding {
  return {
    name,
    state,
    detail: `${principalOf(kafka)} lacks ${missing.map(rightText).join(', ')}; whether a topic exists is not told to who may not describe it`,
    fix: rightsFix(kafka, missing),
  };
}

async function absentTopics(
  { kafka }: Config,
  name: string,
  rights: readonly Right[],
  absent: readonly string[],
): Promise<Finding> {
  const detail = `no topic ${absent.join(', ')} yet`;
  const refused = kafka.topics.create ? await uncreatable(kafka, absent) : absent;
  if (refused.length === 0) return { name, state: 'ok', detail: `${detail}; austream creates them` };
  const isNeeded = refused.some((topic) => rights.some((right) => right.name === topic && !right.optional));
  const create = refused.map((topic) => ({ operation: 'Create', resource: 'topic', name: topic }) as const);
  return {
    name,
    state: isNeeded ? 'missing' : 'note',
    ...(kafka.topics.create
      ? {
          detail: `${detail}, and ${principalOf(kafka)} lacks ${create.map(rightText).join(', ')}`,
          fix: `austream topics create makes them, as a user who may; or ${rightsFix(kafka, create)}`,
        }
      : { detail, fix: 'austream topics create makes them (kafka.topics.create is false)' }),
  };
}

function failed(name: string, error: unknown): Finding {
  const { message, fix } = error as AustreamError;
  return { name, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
}
