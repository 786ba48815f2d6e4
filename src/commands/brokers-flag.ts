import { AustreamError } from '../errors.ts';
import { BROKER_ADDRESS, BROKER_ADDRESS_RULE, splitBrokers } from '../kafka/broker-address.ts';

/** The brokers of `--brokers`. Throws ARGUMENT_INVALID. */
export function brokersFlag(list: string): string[] {
  const brokers = splitBrokers(list);
  const invalid = brokers.find((broker) => !BROKER_ADDRESS.test(broker));
  if (invalid !== undefined || brokers.length === 0)
    throw new AustreamError('ARGUMENT_INVALID', `--brokers: '${invalid ?? list}' ${BROKER_ADDRESS_RULE}`, {
      fix: 'give host:port, comma-separated, such as localhost:9092',
    });
  return brokers;
}
