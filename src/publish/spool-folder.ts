import { mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { AustreamError } from '../errors.ts';
import type { SpoolOptions } from '../kafka/options.ts';
import { lockFolder } from './folder-lock.ts';
import type { OutboxEntry } from './outbox.ts';
import { type DiskState, Spool, type SpoolLossListener, type SpoolOwner } from './spool.ts';

const TOPICS = 'topics';
const UNDELIVERABLE = 'undeliverable';
/** Files of undeliverable records; more are counted only. */
const MAX_UNDELIVERABLE = 1000;

export interface SpoolEvents {
  readonly lost: SpoolLossListener;
  /** The disk refuses writes, or takes them again. */
  disk?(state: DiskState, detail: string): void;
}

/**
 * The spool's folder, with one spool for each topic in `topics/TOPIC`, so that a topic that is held holds no other. The
 * spools share one limit of size.
 */
export class SpoolFolder implements SpoolOwner {
  readonly dir: string;
  readonly #options: SpoolOptions;
  readonly #events: SpoolEvents;
  readonly #lock: Server;
  readonly #spools = new Map<string, Spool>();
  #undeliverable = 0;

  /** Locks the folder and opens the spools in it. Throws SPOOL_UNUSABLE. */
  static async open(options: SpoolOptions, events: SpoolEvents): Promise<SpoolFolder> {
    try {
      mkdirSync(options.dir, { recursive: true });
      const dir = realpathSync(options.dir);
      const lock = await lockFolder(dir);
      try {
        return new SpoolFolder(options, dir, events, lock);
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (cause) {
      if (cause instanceof AustreamError) throw cause;
      throw new AustreamError(
        'SPOOL_UNUSABLE',
        `the spool ${options.dir} cannot be used: ${(cause as Error).message}`,
        {
          fix: 'set kafka.spool.dir to a folder that this user may write to and no other process uses',
          cause,
        },
      );
    }
  }

  private constructor(options: SpoolOptions, dir: string, events: SpoolEvents, lock: Server) {
    this.#options = options;
    this.dir = dir;
    this.#events = events;
    this.#lock = lock;
    const topics = join(dir, TOPICS);
    mkdirSync(topics, { recursive: true });
    for (const topic of readdirSync(topics)) this.topic(topic);
    this.#adoptMixedSpool();
  }

  /** Topics that have a spool, also those of an earlier process with another prefix. */
  get topics(): readonly string[] {
    return [...this.#spools.keys()];
  }

  /** Bytes on disk. */
  get bytes(): number {
    let bytes = 0;
    for (const spool of this.#spools.values()) bytes += spool.bytes;
    return bytes;
  }

  /** The topic's spool, which is created if there is none. */
  topic(topic: string): Spool {
    let spool = this.#spools.get(topic);
    if (!spool) {
      spool = new Spool({ ...this.#options, dir: join(this.dir, TOPICS, topic) }, this.#events.lost, this);
      this.#spools.set(topic, spool);
    }
    return spool;
  }

  disk(state: DiskState, detail: string): void {
    this.#events.disk?.(state, detail);
  }

  enforceLimit(): void {
    while (this.bytes > this.#options.maxMegabytes * 1024 * 1024) {
      const largestFirst = [...this.#spools.values()].sort((a, b) => b.bytes - a.bytes);
      if (!largestFirst.some((spool) => spool.dropOldest('spool_full'))) return;
    }
  }

  /** Keeps the bytes of a record that no topic takes, in a file; false if it cannot be written. */
  keepUndeliverable({ topic, key, seq }: OutboxEntry, value: Buffer): boolean {
    if (this.#undeliverable >= MAX_UNDELIVERABLE) return false;
    this.#undeliverable += 1;
    const folder = join(this.dir, UNDELIVERABLE);
    const name = `${topic}-${encodeURIComponent(key).slice(0, 100)}-${seq}.avro`;
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), value, { mode: 0o600 });
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    for (const spool of this.#spools.values()) await spool.close();
    await new Promise((resolve) => this.#lock.close(resolve));
  }

  /** Before 0.2 the folder itself was one spool of all topics. Its records move to the spools of their topics. */
  #adoptMixedSpool(): void {
    if (!readdirSync(this.dir).some((name) => name.endsWith('.seg'))) return;
    const mixed = new Spool({ ...this.#options, dir: this.dir }, this.#events.lost, {
      enforceLimit() {},
      disk() {},
    });
    const seqs = new Map<string, number>();
    for (let entry = mixed.next(0); entry; entry = mixed.next(0)) {
      const spool = this.topic(entry.topic);
      const seq = (seqs.get(entry.topic) ?? spool.lastSeq) + 1;
      seqs.set(entry.topic, seq);
      if (spool.append([{ ...entry, seq }], 0) === 0)
        throw new AustreamError('SPOOL_UNUSABLE', `${this.dir}: the disk is full`, {
          fix: 'free as much space as the spool takes: its records move to one folder for each topic, once',
        });
    }
    mixed.release(mixed.lastSeq);
    void mixed.close();
  }
}
