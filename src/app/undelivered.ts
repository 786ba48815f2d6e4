import type { TopicDelivery } from '../domain/topic-delivery.ts';

/** Events of a topic that no broker had acknowledged when the process ended. */
export interface Undelivered {
  readonly topic: string;
  readonly events: number;
  /** Why delivery is held; null: the brokers did not answer in time. */
  readonly cause: string | null;
  /** They are on disk, and the next start delivers them. Otherwise they are lost. */
  readonly spooled: boolean;
}

export function undeliveredOf(topics: readonly TopicDelivery[], spooled: boolean): Undelivered[] {
  return topics
    .filter(({ pending }) => pending > 0)
    .map(({ topic, pending, held }) => ({ topic, events: pending, cause: held?.cause ?? null, spooled }));
}

/** E.g. `12 events of au.activations (kafka_topic_authorization_failed): in the spool`. */
export function undeliveredText({ topic, events, cause, spooled }: Undelivered): string {
  const where = spooled ? 'in the spool, for the next start' : 'lost';
  return `${events} events of ${topic}${cause === null ? '' : ` (${cause})`}: ${where}`;
}
