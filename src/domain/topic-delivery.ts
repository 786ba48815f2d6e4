/** How the delivery of one topic's events goes. Ages are on the monotonic clock. */
export interface TopicDelivery {
  readonly topic: string;
  /** Events that are not acknowledged yet: in memory, in flight or in the spool. */
  readonly pending: number;
  /** Pending events that are not in flight. */
  readonly waiting: number;
  /** Age of the oldest pending event; null without one. */
  readonly oldestSeconds: number | null;
  readonly acknowledged: number;
  /** Events lost for good. */
  readonly dropped: number;
  /** Why nothing is delivered at present; null while events are delivered. */
  readonly held: Hold | null;
}

export interface Hold {
  /** Machine-readable, e.g. `kafka_topic_authorization_failed`. */
  readonly cause: string;
  /** One sentence for people. */
  readonly detail: string;
  readonly sinceSeconds: number;
}
