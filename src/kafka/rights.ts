import { X509Certificate } from 'node:crypto';
import { AustreamError } from '../errors.ts';
import { withAdmin } from './admin.ts';
import { type Access, AccessClient, type Operation } from './authorized-operations.ts';
import { readCredentials } from './credentials.ts';
import { clusterName } from './errors.ts';
import { isAuthorizationError, toAustreamError } from './kafkajs-errors.ts';
import type { KafkaOptions } from './options.ts';

/** One right that a command needs on the brokers (Kafka's ACLs). */
export interface Right {
  readonly operation: Operation;
  readonly resource: 'topic' | 'group' | 'transactionalId';
  readonly name: string;
  /** It is needed on every name that begins with `name`. */
  readonly prefix?: boolean;
  /** The command works without it, with less. */
  readonly optional?: boolean;
}

export interface RightsReport {
  readonly missing: readonly Right[];
  /** Topics that do not exist. */
  readonly absent: readonly string[];
  /** Rights about which the brokers tell nothing: of topics that do not exist, or of old brokers. */
  readonly unknown: readonly Right[];
}

export interface RightsCheck {
  readonly connectMs?: number;
  readonly retries?: number;
}

/**
 * Which of these rights the user of this config lacks. Writes nothing to any topic. Throws KAFKA_UNREACHABLE or
 * KAFKA_REJECTED.
 */
export async function checkRights(
  options: KafkaOptions,
  rights: readonly Right[],
  { connectMs = 3_000, retries = 1 }: RightsCheck = {},
): Promise<RightsReport> {
  const client = new AccessClient(options, connectMs, retries);
  try {
    await client.connect();
    const names = [...new Set(rights.filter(({ resource }) => resource === 'topic').map(({ name }) => name))];
    const topics = await client.topics(names);
    const missing: Right[] = [];
    const unknown: Right[] = [];
    for (const right of rights) {
      const access =
        right.resource === 'topic'
          ? (topics?.get(right.name) ?? null)
          : right.resource === 'group'
            ? await client.group(checkedName(right))
            : await client.transactionalId(checkedName(right));
      const allowed = isAllowed(right, access);
      if (allowed === false) missing.push(right);
      else if (allowed === null) unknown.push(right);
    }
    const absent = names.filter((name) => topics?.get(name)?.state === 'absent');
    return { missing, absent, unknown };
  } catch (error) {
    throw toAustreamError(error, options.brokers ?? []);
  } finally {
    await client.close();
  }
}

/** Null: the brokers do not tell. */
function isAllowed({ operation }: Right, access: Access | null): boolean | null {
  if (access?.state === 'hidden') return false;
  if (access?.state !== 'exists' || access.allows === null) return null;
  // Read and Write include Describe (Kafka's documentation, "Authorization and ACLs").
  if (operation === 'Describe')
    return (['Describe', 'Read', 'Write'] as const).some((each) => access.allows!.has(each));
  return access.allows.has(operation);
}

/** A name that no worker uses. */
function checkedName({ name, prefix }: Right): string {
  return prefix ? `${name}rights-check` : name;
}

/** Which of the topics that do not exist this user could not create. Creates none. */
export async function uncreatable(options: KafkaOptions, topics: readonly string[]): Promise<string[]> {
  return withAdmin(options, async (admin) => {
    const refused: string[] = [];
    for (const topic of topics)
      await admin
        .createTopics({
          validateOnly: true,
          waitForLeaders: false,
          topics: [{ topic, numPartitions: 1, replicationFactor: -1 }],
        })
        .catch((error) => {
          if (isAuthorizationError(error)) refused.push(topic);
          else throw error;
        });
    return refused;
  });
}

/** Throws KAFKA_REJECTED, with every right that is missing, if one is that the command cannot do without. */
export async function requireRights(options: KafkaOptions, rights: readonly Right[]): Promise<Right[]> {
  const { missing: lacking, absent } = await checkRights(options, rights);
  const toCreate = options.topics.create ? await uncreatable(options, absent) : [];
  const missing = [
    ...lacking,
    ...toCreate.map((name): Right => {
      const optional = rights.every((right) => right.name !== name || right.optional);
      return { operation: 'Create', resource: 'topic', name, optional };
    }),
  ];
  const needed = missing.filter(({ optional }) => !optional);
  if (needed.length > 0) throw new MissingRightsError(options, needed);
  return missing.filter(({ optional }) => optional);
}

/** KAFKA_REJECTED, with each right that is missing. */
export class MissingRightsError extends AustreamError {
  constructor(options: KafkaOptions, missing: readonly Right[]) {
    super(
      'KAFKA_REJECTED',
      `${clusterName(options.brokers)} does not give ${principalOf(options)} the right ${missing.map(rightText).join(', ')}`,
      { fix: rightsFix(options, missing) },
    );
  }
}

/** E.g. `Write on topic au.frames`. */
export function rightText({ operation, resource, name, prefix }: Right): string {
  const kind = resource === 'transactionalId' ? 'transactional id' : resource;
  return prefix ? `${operation} on each ${kind} that begins with ${name}` : `${operation} on ${kind} ${name}`;
}

/** The calls of Kafka's own tool that give the rights. */
export function rightsFix(options: KafkaOptions, missing: readonly Right[]): string {
  const byResource = Map.groupBy(missing, ({ resource, name }) => `${resource} ${name}`);
  const calls = [...byResource.values()].map((rights) => {
    const [{ resource, name, prefix }] = rights as [Right];
    const operations = rights.map(({ operation }) => `--operation ${operation}`).join(' ');
    const option = resource === 'transactionalId' ? 'transactional-id' : resource;
    const target = `--${option} ${name}${prefix ? ' --resource-pattern-type prefixed' : ''}`;
    return `kafka-acls.sh --add --allow-principal ${principal(options)} ${operations} ${target}`;
  });
  return `an administrator of Kafka gives them: ${calls.join('; ')}`;
}

/** Who this process is for the brokers, in words. */
export function principalOf(options: KafkaOptions): string {
  const { sasl, tls } = options;
  if (sasl) return `user ${sasl.mechanism === 'OAUTHBEARER' ? sasl.clientId : sasl.username}`;
  if (tls?.enabled && tls.certificate !== undefined) return `the user of ${tls.certificate}`;
  return 'anonymous users';
}

/** As `--allow-principal` takes it. Brokers may be configured to shorten the name of a certificate or a token. */
function principal(options: KafkaOptions): string {
  const { sasl, tls } = options;
  if (sasl) return `User:${sasl.mechanism === 'OAUTHBEARER' ? sasl.clientId : sasl.username}`;
  if (!tls?.enabled || tls.certificate === undefined) return 'User:ANONYMOUS';
  const { certificate } = readCredentials(options);
  // The brokers write the name as RFC 2253 does: the last part first.
  const name = new X509Certificate(certificate!).subject.split('\n').reverse().join(',');
  return `"User:${name}"`;
}
