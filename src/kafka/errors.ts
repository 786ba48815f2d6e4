import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';

/** The cluster's name in error messages. `brokers`: host:port of each; undefined: the embedded broker. */
export function clusterName(brokers: readonly string[] | undefined): string {
  return `Kafka at ${brokers?.join(', ') ?? 'the embedded broker'}`;
}

/** KAFKA_UNREACHABLE: no broker answers. */
export function unreachableError(
  brokers: readonly string[] | undefined,
  why: string,
  cause?: unknown,
): AustreamError {
  return new AustreamError(
    'KAFKA_UNREACHABLE',
    `${clusterName(brokers)} does not answer: ${printable(why)}`,
    {
      fix: 'check kafka.brokers in the config, and that the brokers run and advertise an address reachable from here',
      cause,
    },
  );
}
