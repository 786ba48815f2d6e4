/**
 * What happens to a record that the brokers or librdkafka did not accept. No verdict loses it:
 * `retry`: a new producer sends it again at once.
 * `hold`: only a person or time cures the error. The topic's records wait and are tried again with backoff.
 * `split`: the batch is too large for the topic. It is sent again in smaller batches. A single record that is too large is
 * undeliverable: it goes to the dead letters.
 */
export type Verdict = 'retry' | 'hold' | 'split';

/** librdkafka's texts, in lower case without `Broker: ` and `Local: `. Delivery reports carry no code. */
export const DELIVERY_ERRORS: Readonly<Record<string, Verdict>> = {
  'message size too large': 'split',
  'message batch larger than configured server segment size': 'split',

  'topic authorization failed': 'hold',
  'cluster authorization failed': 'hold',
  'group authorization failed': 'hold',
  'transactional id authorization failed': 'hold',
  'unknown topic or partition': 'hold',
  'unknown topic': 'hold',
  'unknown partition': 'hold',
  'unknown topic id': 'hold',
  'invalid topic': 'hold',
  'invalid timestamp': 'hold',
  'policy violation': 'hold',
  'not enough in-sync replicas': 'hold',
  'message(s) written to insufficient number of in-sync replicas': 'hold',
  'throttling quota has been exceeded': 'hold',
  'disk error when trying to access log file on disk': 'hold',
  'unsupported compression type': 'hold',
  'broker failed to validate record': 'hold',
  'message format on broker does not support request': 'hold',

  'leader not available': 'retry',
  'not leader for partition': 'retry',
  'request timed out': 'retry',
  'unknown producer id': 'retry',
  'broker received an out of order sequence number': 'retry',
  'broker received a duplicate sequence number': 'retry',
  'producer attempted an operation with an old epoch': 'retry',
};

export interface DeliveryFailure {
  readonly verdict: Verdict;
  /** `kafka_` and the error's text in snake case. */
  readonly cause: string;
  /** The error's text. */
  readonly detail: string;
}

/**
 * Classifies an error of a delivery report. `origin` is `broker` or `local`. A broker's error that is not in the table is
 * held: it is better to wait for a person than to drop. A local one is retried.
 */
export function deliveryFailure(message: string, origin: string): DeliveryFailure {
  const text = message.toLowerCase().replace(/^(local|broker): /, '');
  const verdict = Object.hasOwn(DELIVERY_ERRORS, text)
    ? DELIVERY_ERRORS[text]!
    : origin === 'broker'
      ? 'hold'
      : 'retry';
  return { verdict, cause: `kafka_${text.replace(/[^a-z0-9]+/g, '_')}`.slice(0, 64), detail: message };
}
