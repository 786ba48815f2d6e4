import { AustreamError } from '../errors.ts';

/** Whether kafkajs threw this. */
export function isKafkajsError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

const REJECTED =
  /^(KafkaJSSASLAuthenticationError|KafkaJSProtocolError|KafkaJSCreateTopicError|KafkaJSAggregateError)$/;

/** What kafkajs threw, as a sentence for a person. `topics` are those that were asked for. */
export function toAustreamError(
  error: unknown,
  brokers: readonly string[],
  topics: readonly string[] = [],
): AustreamError {
  if (error instanceof AustreamError) return error;
  const failure = rootCause(error);
  if (failure instanceof AustreamError) return failure;
  const where = brokers.join(', ');
  if ((failure as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION')
    return new AustreamError(
      'KAFKA_REJECTED',
      `Kafka at ${where} has no topic ${topics.join(' or no topic ') || 'of that name'}`,
      {
        fix: 'check the topic prefix; austream run creates its topics, as does austream topics create',
        cause: error,
      },
    );
  if (failure.name === 'KafkaJSNotImplemented')
    return new AustreamError(
      'PREREQUISITE_MISSING',
      `messages from Kafka at ${where} cannot be read: ${failure.message}`,
      {
        fix: 'set kafka.compression to gzip or none where they are written, or give kafkajs a codec (CompressionCodecs)',
        cause: error,
      },
    );
  const { retriable = false } = failure as { retriable?: boolean };
  if (REJECTED.test(failure.name) && retriable)
    return new AustreamError('KAFKA_UNREACHABLE', `Kafka at ${where} is not ready: ${failure.message}`, {
      fix: 'try again: brokers choose a new leader within seconds; if it stays, look at the brokers’ own logs',
      cause: error,
    });
  return REJECTED.test(failure.name)
    ? new AustreamError('KAFKA_REJECTED', `Kafka at ${where} refuses: ${failure.message}`, {
        fix: 'check kafka.sasl and kafka.tls in the config, and the rights of this user on the brokers',
        cause: error,
      })
    : new AustreamError('KAFKA_UNREACHABLE', `Kafka at ${where} does not answer: ${failure.message}`, {
        fix: 'check kafka.brokers in the config, and that the brokers run and advertise an address reachable from here',
        cause: error,
      });
}

/** What happened, which kafkajs wraps in retries and aggregates. */
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
