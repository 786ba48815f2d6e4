import type { TopicDelivery } from './topic-delivery.ts';

/** Causes of a hold that mean that no broker answers, rather than that one refuses. */
const OUTAGES: ReadonlySet<string> = new Set(['kafka_unreachable', 'kafka_connecting']);

/** Whether a hold is an outage: no broker answers. Any other hold is a refusal. */
export function isOutage(cause: string): boolean {
  return OUTAGES.has(cause);
}

/** Whether the brokers of a process answer, also if they refuse its events. */
export function brokersAnswer({
  connected,
  topics,
}: {
  readonly connected: boolean;
  readonly topics: readonly TopicDelivery[];
}): boolean {
  const holds = topics.flatMap(({ held }) => held ?? []);
  if (holds.some(({ cause }) => isOutage(cause))) return false;
  return connected || holds.length > 0;
}
