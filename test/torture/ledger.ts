import type { Collected } from './collector.ts';

/** Tracks are numbered over all cameras: `c0/1`, `c0/2`, …, `c1/1`, …. Each has frames 0, 1, 2 …; every tenth has an activation. */
const ACTIVATION_EVERY = 10;

export interface Place {
  readonly kind: 'frame' | 'activation';
  readonly track: number;
  readonly frame: number;
}

export interface Balance {
  /** Events handed to the publisher. */
  readonly scored: number;
  /** Events that a consumer received, duplicates not counted. */
  readonly received: number;
  readonly duplicates: number;
  /** Events that the publisher said it had lost, by cause. */
  readonly told: Readonly<Record<string, number>>;
  /** Events that the brokers acknowledged and then deleted with their topic. */
  readonly deleted: number;
  /** Events lost without a word: neither received, nor told, nor deleted with their topic. */
  readonly difference: number;
  /**
   * Events that were told lost and arrived all the same. The brokers had written them, but the acknowledgement was lost
   * with the connection, and then the spool was full.
   */
  readonly toldInDoubt: number;
  /** Events that came after a later one of the same track in the same partition. */
  readonly outOfOrder: number;
}

/** Counts every event that was scored, acknowledged, told lost and received. */
export class Ledger {
  published = 0;
  readonly #tracks: number;
  readonly #received = new Set<string>();
  readonly #acknowledgedAt = new Map<string, number>();
  readonly #told: Record<string, number> = {};
  /** Newest frame by track and place of first receipt. */
  readonly #newest = new Map<string, number>();
  readonly #deletions: { readonly from: number; to: number }[] = [];
  #duplicates = 0;
  /** What came out of order, for a person who looks for the fault. */
  readonly outOfOrder: string[] = [];

  constructor(tracks: number) {
    this.#tracks = tracks;
  }

  acknowledged(track: number, frame: number, at: number): void {
    this.#acknowledgedAt.set(`frame/${track}/${frame}`, at);
  }

  told(count: number, cause: string): void {
    this.#told[cause] = (this.#told[cause] ?? 0) + count;
  }

  received(
    { kind, track, frame }: Place,
    { topic, generation, partition }: Pick<Collected, 'topic' | 'generation' | 'partition'>,
  ): void {
    const id = `${kind}/${track}/${frame}`;
    if (this.#received.has(id)) {
      this.#duplicates += 1;
      return;
    }
    this.#received.add(id);
    const lane = `${topic}/${generation}/${partition}/${track}`;
    const newest = this.#newest.get(lane) ?? -1;
    if (frame < newest) this.outOfOrder.push(`${id} after ${newest} in ${lane}`);
    else this.#newest.set(lane, frame);
  }

  get receivedCount(): number {
    return this.#received.size;
  }

  /** Frames that the brokers acknowledged and no consumer has received. */
  get acknowledgedOnly(): number {
    let count = 0;
    for (const id of this.#acknowledgedAt.keys()) if (!this.#received.has(id)) count += 1;
    return count;
  }

  /** A topic is being deleted: what is acknowledged until `end()` is called may be deleted with it. */
  deletion(): { end(): void } {
    const window = { from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.#deletions.push(window);
    return {
      end: () => {
        window.to = performance.now();
      },
    };
  }

  balance(): Balance {
    let scored = 0;
    let deleted = 0;
    for (let frame = 0; frame < this.published; frame += 1)
      for (let track = 0; track < this.#tracks; track += 1) {
        const id = `frame/${track}/${frame}`;
        scored += frame % ACTIVATION_EVERY === 0 ? 2 : 1;
        const at = this.#acknowledgedAt.get(id);
        if (at === undefined || this.#received.has(id)) continue;
        if (this.#deletions.some(({ from, to }) => from <= at && at <= to)) deleted += 1;
      }
    const received = this.#received.size;
    const told = Object.values(this.#told).reduce((sum, count) => sum + count, 0);
    const untold = scored - received - deleted - told;
    return {
      ...{ scored, received, deleted, told: this.#told },
      ...{ duplicates: this.#duplicates, outOfOrder: this.outOfOrder.length },
      ...{ difference: Math.max(0, untold), toldInDoubt: Math.max(0, -untold) },
    };
  }

  /** The first ids of events without a trace, for a person who looks for the fault. */
  missing(limit: number): string[] {
    const ids: string[] = [];
    for (let frame = 0; frame < this.published && ids.length < limit; frame += 1)
      for (let track = 0; track < this.#tracks; track += 1)
        for (const kind of frame % ACTIVATION_EVERY === 0 ? ['frame', 'activation'] : ['frame'])
          if (!this.#received.has(`${kind}/${track}/${frame}`))
            ids.push(
              `${kind}/${track}/${frame}${this.#acknowledgedAt.has(`${kind}/${track}/${frame}`) ? ' acknowledged' : ''}`,
            );
    return ids.slice(0, limit);
  }
}
