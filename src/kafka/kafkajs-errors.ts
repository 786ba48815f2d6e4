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

/**
 * Translates an error of kafkajs: KAFKA_UNREACHABLE (no answer, or one that kafkajs marks as retriable), KAFKA_REJECTED
 * (the broker rejects the request) or PREREQUISITE_MISSING (a compression codec). An AustreamError that kafkajs has
 * wrapped is returned unchanged. `topics` are the requested topics, for the message.
 */
export function toAustreamError(
  error: unknown,
  brokers: readonly string[],
  topics: readonly string[] = [],
): AustreamError {
  if (error instanceof AustreamError) return error;
  const failure = rootCause(error);
  if (failure instanceof AustreamError) return failure;
  const cluster = clusterName(brokers);
  if ((failure as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION')
    return new AustreamError(
      'KAFKA_REJECTED',
      `${cluster} has no topic ${topics.join(' or no topic ') || 'of that name'}`,
      {
        fix: 'check the topic prefix; austream run creates its topics, as does austream topics create',
        cause: error,
      },
    );
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
