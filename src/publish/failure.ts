import { AustreamError } from '../errors.ts';

const REJECTED =
  /^(KafkaJSSASLAuthenticationError|KafkaJSProtocolError|KafkaJSCreateTopicError|KafkaJSAggregateError)$/;

/** What kafkajs threw, as a sentence for a person. `topics` are those that were asked for. */
export function kafkaFailure(
  error: unknown,
  brokers: readonly string[],
  topics: readonly string[] = [],
): AustreamError {
  if (error instanceof AustreamError) return error;
  const failure = rootOf(error);
  const where = brokers.join(', ');
  if ((failure as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION')
    return new AustreamError(
      'KAFKA_REJECTED',
      `Kafka at ${where} has no topic ${topics.join(' or no topic ')}`,
      {
        fix: 'check the topic prefix; austream run creates its topics, as does austream topics create',
        cause: error,
      },
    );
  const rejected = REJECTED.test(failure.name);
  return rejected
    ? new AustreamError('KAFKA_REJECTED', `Kafka at ${where} refuses: ${failure.message}`, {
        fix: 'check kafka.sasl and kafka.tls in the config, and the rights of this user on the brokers',
        cause: error,
      })
    : new AustreamError('KAFKA_UNREACHABLE', `Kafka at ${where} does not answer: ${failure.message}`, {
        fix: 'check kafka.brokers in the config, and that the brokers run and advertise an address reachable from here',
        cause: error,
      });
}

/** kafkajs wraps what happened in retries and aggregates. */
function rootOf(error: unknown): Error {
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
