/** The offsets that a partition has at present: from `oldest`, before `end`. */
export interface OffsetRange {
  readonly oldest: number;
  readonly end: number;
}

/**
 * Where an owner begins, from the group's offset and what the topic still has. Nothing is skipped in silence: offsets
 * that are out of range begin at the oldest record, and say how many records are gone.
 */
export class StartOffset {
  /** The offset that the group has committed; null: none. */
  readonly inGroup: number | null;
  /** Records before it are processed or gone; null: none was ever processed. */
  readonly committed: number | null;
  readonly oldest: number;
  /** Records that retention deleted before they were processed. */
  readonly expired: number;
  /** The topic was deleted and created again, or its brokers lost records. */
  readonly rewound: boolean;

  /**
   * `hasStates`: an earlier owner has left states, and so had committed an offset: without one, it went with the topic.
   * `wasRewound`: it was already seen that the topic begins anew.
   */
  constructor(
    inGroup: number | null,
    { oldest, end }: OffsetRange,
    { hasStates, wasRewound }: { readonly hasStates: boolean; readonly wasRewound: boolean },
  ) {
    this.inGroup = inGroup;
    this.oldest = oldest;
    this.rewound = inGroup === null ? hasStates : inGroup > end || wasRewound;
    this.expired = inGroup === null || this.rewound ? 0 : Math.max(0, oldest - inGroup);
    this.committed = inGroup === null ? null : this.rewound ? oldest : Math.max(inGroup, oldest);
  }
}
