/** Classifies what kafkajs throws. `rdkafka-errors.ts` does the same for librdkafka. */
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import { clusterName, unreachableError } from './errors.ts';

/** Whether kafkajs threw this error. */
export function isKafkajsError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

/** Names of the errors with which a broker answered; with any other there was no answer. */
const BROKER_ERRORS =
  /^(KafkaJSSASLAuthenticationError|KafkaJSProtocolError|KafkaJSCreateTopicError|KafkaJSAggregateError)$/;

/** Answers that mean that a member of a group must join again. */
const REBALANCES = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
]);

/** Whether a member of a group must join again; kafkajs does that when a handler throws this error. */
export function isRebalance(error: unknown): boolean {
  return REBALANCES.has(brokerAnswer(rootCause(error)));
}

/** An error with which a batch handler makes kafkajs join the group again. */
export function rebalanceError(why: string): Error {
  return Object.assign(new Error(why), { type: 'REBALANCE_IN_PROGRESS' });
}

/** What kafkajs retries by itself after a request timed out. */
export function requestTimeoutError(apiName: string): Error {
  const error = new Error(`no answer to the request ${apiName}`);
  return Object.assign(error, { name: 'KafkaJSRequestTimeoutError' });
}

/**
 * Whether waiting can cure what ended a consumer. A missing coordinator counts only if the consumer has joined before:
 * otherwise the brokers may be unable to provide one at all. A refusal counts only if it was allowed to read before: somebody
 * who took a right away, or changed a password, can give it back.
 */
export function isOutage(
  error: unknown,
  { hasEverJoined, hasEverRead }: { readonly hasEverJoined: boolean; readonly hasEverRead: boolean },
): boolean {
  const failure = rootCause(error) as Error & { retriable?: boolean };
  if (failure.name === 'KafkaJSGroupCoordinatorNotFound') return hasEverJoined;
  if (isRefusal(failure)) return hasEverRead;
  return (error as Error).name === 'KafkaJSNumberOfRetriesExceeded' || failure.retriable === true;
}

const isRefusal = (failure: Error) =>
  failure.name === 'KafkaJSSASLAuthenticationError' ||
  brokerAnswer(failure).endsWith('_AUTHORIZATION_FAILED');

/** The broker's answer as Kafka's protocol names it; empty if there is none. */
function brokerAnswer(failure: Error): string {
  return (failure as { type?: string }).type ?? '';
}

/** What the user lacks, by the broker's answer. */
const MISSING_RIGHTS: Readonly<
  Record<string, (request: KafkaRequest) => readonly [what: string, right: string]>
> = {
  GROUP_AUTHORIZATION_FAILED: ({ groupId }) => [
    `the consumer group ${groupId ?? ''}`,
    `Read on Group ${groupId ?? ''}`,
  ],
  TOPIC_AUTHORIZATION_FAILED: ({ topics = [], operation = 'Describe, Create or Alter' }) => [
    `the topic ${topics.join(' or the topic ')}`,
    `${operation} on Topic ${topics.join(', ')}`,
  ],
  CLUSTER_AUTHORIZATION_FAILED: () => ['the cluster', 'Create on Cluster'],
};

/** What was requested, for the message. */
export interface KafkaRequest {
  readonly topics?: readonly string[] | undefined;
  readonly groupId?: string | undefined;
  /** The right that the request needs on its topics. */
  readonly operation?: string;
}

/**
 * Translates an error of kafkajs: KAFKA_UNREACHABLE (no answer, or one that kafkajs marks as retriable), KAFKA_REJECTED
 * (the broker rejects the request) or PREREQUISITE_MISSING (a compression codec). An AustreamError that kafkajs has
 * wrapped is returned unchanged.
 */
export function toAustreamError(
  error: unknown,
  brokers: readonly string[],
  request: KafkaRequest = {},
): AustreamError {
  const { topics = [] } = request;
  if (error instanceof AustreamError) return error;
  const failure = rootCause(error);
  if (failure instanceof AustreamError) return failure;
  const cluster = clusterName(brokers);
  const [what, right] = MISSING_RIGHTS[brokerAnswer(failure)]?.(request) ?? [];
  if (what !== undefined)
    return new AustreamError('KAFKA_REJECTED', `${cluster} does not let this user use ${what}`, {
      fix: `give the user the right ${right} (kafka-acls --add --allow-principal User:… --operation …)`,
      cause: error,
    });
  if (brokerAnswer(failure) === 'UNKNOWN_TOPIC_OR_PARTITION')
    return new AustreamError(
      'KAFKA_REJECTED',
      `${cluster} has no topic ${topics.join(' or no topic ') || 'of that name'}`,
      {
        fix: 'check the topic prefix; austream run creates its topics, as does austream topics create',
        cause: error,
      },
    );
  const denied = deniedText((failure as { type?: string }).type, topics);
  if (denied)
    return new AustreamError('KAFKA_REJECTED', `${cluster} does not give this user ${denied}`, {
      fix: 'austream doctor -c FILE --for COMMAND names the rights that a command lacks',
      cause: error,
    });
  if (failure.name === 'KafkaJSNotImplemented')
    return new AustreamError(
      'PREREQUISITE_MISSING',
      `messages from ${cluster} cannot be decompressed: ${printable(failure.message)}`,
      {
        fix: 'set kafka.compression of the producer to gzip or none, or register a codec with kafkajs (CompressionCodecs)',
        cause: error,
      },
    );
  const { retriable = false } = failure as { retriable?: boolean };
  const answered = BROKER_ERRORS.test(failure.name);
  if (answered && retriable)
    return new AustreamError('KAFKA_UNREACHABLE', `${cluster} is not ready: ${printable(failure.message)}`, {
      fix: 'try again: brokers elect a new leader within seconds; if the error stays, look at the logs of the brokers',
      cause: error,
    });
  return answered
    ? new AustreamError('KAFKA_REJECTED', `${cluster} rejects the request: ${printable(failure.message)}`, {
        fix: 'check kafka.sasl and kafka.tls in the config, and the rights of this user on the brokers',
        cause: error,
      })
    : unreachableError(brokers, failure.message, error);
}

/** The right that is missing, as far as the error tells. */
function deniedText(type: string | undefined, topics: readonly string[]): string | null {
  const topic = `topic ${topics.join(', ') || '(not named by the brokers)'}`;
  switch (type) {
    case 'TOPIC_AUTHORIZATION_FAILED':
      return `a right on ${topic}: Describe, and Read to consume, Write to produce or Create to make it`;
    case 'GROUP_AUTHORIZATION_FAILED':
      return 'the right Read on the consumer group';
    case 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED':
      return 'the right Write on the transactional id';
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return 'a right on the cluster: Create to make topics, or IdempotentWrite to produce (brokers before 2.8)';
    default:
      return null;
  }
}

/** The brokers deny this user the operation (ACL). */
export function isAuthorizationError(error: unknown): boolean {
  return /_AUTHORIZATION_FAILED$/.test((rootCause(error) as { type?: string }).type ?? '');
}

/** The innermost error: kafkajs wraps it in KafkaJSNumberOfRetriesExceeded, KafkaJSNonRetriableError and aggregates. */
export function rootCause(error: unknown): Error {
  let failure = error instanceof Error ? error : new Error(String(error));
  for (;;) {
    const inner =
      (failure as { errors?: unknown[] }).errors?.[0] ??
      (failure.name === 'KafkaJSNumberOfRetriesExceeded' || failure.name === 'KafkaJSNonRetriableError'
        ? failure.cause
        : undefined);
    if (!(inner instanceof Error)) return failure;
    failure = inner;
  }
}
