import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryBudget } from '../../src/publish/memory-budget.ts';
import { type InFlightMessage, Outbox, type OutboxEntry } from '../../src/publish/outbox.ts';
import { Spool } from '../../src/publish/spool.ts';

const limits = (memoryBytes = 1e6) => ({
  ...{ windowMessages: 5, windowBytes: 1e6, releaseEvery: 4 },
  memory: new MemoryBudget(memoryBytes),
});
const spoolOptions = (dir: string) => ({ dir, maxMegabytes: 1, syncSeconds: 60 });

/** A fake producer with its broker: accepts messages in order, and acknowledges them in order or fails. */
class FakeProducer {
  queue: InFlightMessage[] = [];
  /** What the broker has stored, in order of arrival. */
  readonly log: string[] = [];
  readonly dropped: { name: string; cause: string }[] = [];
  outbox!: Outbox;

  events = {
    send: (inFlight: InFlightMessage) => this.queue.push(inFlight) > 0,
    delivered: () => {},
    dropped: (entry: OutboxEntry, cause: string) => {
      this.dropped.push({ name: nameOf(entry), cause });
    },
  };

  acknowledge(count: number): void {
    for (const inFlight of this.queue.slice(0, count)) {
      this.queue.shift();
      this.log.push(nameOf(inFlight.entry));
      this.outbox.delivered(inFlight);
    }
  }

  /** The broker stores `stored` messages, but the producer fails before it can report them. */
  fail(stored: number): void {
    for (const { entry } of this.queue.slice(0, stored)) this.log.push(nameOf(entry));
    this.queue = [];
    this.outbox.pause();
  }
}

const nameOf = ({ value }: OutboxEntry) => String(value).trimEnd();
const message = (name: string) => ({ topic: 't', key: 'cam/1', value: Buffer.from(name.padEnd(1500)) });
const deduplicated = (log: readonly string[]) => [...new Set(log)];

/** Asserts that no unacknowledged message is released. */
function checkReleases(spool: Spool, producer: FakeProducer): Spool {
  const release = spool.release.bind(spool);
  spool.release = (throughSeq) => {
    for (const { entry } of producer.queue) expect(entry.seq).toBeGreaterThan(throughSeq);
    release(throughSeq);
  };
  return spool;
}

/** A spool on a disk that is sometimes full. */
function fillable(spool: Spool): Spool & { full: boolean } {
  const append = spool.append.bind(spool);
  const disk = Object.assign(spool, { full: false });
  disk.append = (entries, sentSeq) =>
    disk.full ? append(entries.slice(0, Math.floor(entries.length / 2)), sentSeq) : append(entries, sentSeq);
  return disk;
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('acknowledge' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  fc.record({ do: fc.constant('unreachable' as const), count: fc.constant(0) }),
  fc.record({ do: fc.constant('disk' as const), count: fc.constant(0) }),
  fc.record({ do: fc.constant('break' as const), count: fc.nat(4) }),
  fc.record({ do: fc.constant('resume' as const), count: fc.constant(0) }),
  fc.record({ do: fc.constant('crash' as const), count: fc.nat(4) }),
);

describe('an outbox', () => {
  for (const disk of [false, true])
    test(`${disk ? 'with a spool' : 'in memory'} delivers all messages in order through outages, failed producers and crashes`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const root = mkdtempSync(join(tmpdir(), 'austream-outbox-'));
          const producer = new FakeProducer();
          let processes = 0;
          const spools: Spool[] = [];
          // A crash loses what a full disk had no room for.
          let wasFull = false;
          let full = null as (Spool & { full: boolean }) | null;
          const begin = async () => {
            const dir = join(root, String(processes));
            const spool = disk
              ? new Spool(spoolOptions(dir), () => expect.unreachable(), { enforceLimit() {}, disk() {} })
              : null;
            full = spool && fillable(checkReleases(spool, producer));
            if (full) spools.push(full);
            producer.outbox = new Outbox(limits(), producer.events, full);
            producer.outbox.resume();
          };
          await begin();
          const added: string[] = [];
          const add = (count: number) => {
            const names = Array.from({ length: count }, (_, index) => `m${added.length + index}`);
            added.push(...names);
            producer.outbox.add(names.map(message));
          };
          for (const { do: what, count } of steps) {
            if (what === 'add') add(count);
            else if (what === 'acknowledge') producer.acknowledge(count);
            else if (what === 'unreachable') producer.outbox.brokersUnreachable();
            else if (what === 'break') producer.fail(count);
            else if (what === 'resume') producer.outbox.resume();
            else if (what === 'disk') {
              if (full) full.full = !full.full;
              wasFull = true;
            } else if (disk && !wasFull) {
              // SIGKILL while the brokers are unreachable: the next process has only what is on disk.
              producer.outbox.brokersUnreachable();
              producer.fail(count);
              cpSync(join(root, String(processes)), join(root, String(processes + 1)), { recursive: true });
              processes += 1;
              await begin();
            }
          }
          producer.outbox.resume();
          while (producer.outbox.pending > 0) {
            expect(producer.queue.length).toBeGreaterThan(0);
            producer.acknowledge(3);
          }
          expect(deduplicated(producer.log)).toEqual(added);
          const mayRepeat = steps.some(({ do: what }) => what === 'break' || what === 'crash');
          if (!mayRepeat) expect(producer.log).toEqual(added);
          expect(producer.dropped).toEqual([]);
          for (const spool of spools) await spool.close();
          rmSync(root, { recursive: true });
        }),
        { numRuns: disk ? 150 : 300 },
      );
    });

  test('drops the oldest messages when memory is full, and reports them', () => {
    const producer = new FakeProducer();
    producer.outbox = new Outbox(limits(50_000), producer.events, null);
    producer.outbox.resume();
    producer.outbox.add(Array.from({ length: 100 }, (_, index) => message(`m${index}`)));
    const kept = producer.outbox.waiting;
    expect(kept).toBeGreaterThan(10);
    expect(producer.dropped).toHaveLength(100 - 5 - kept);
    expect(producer.dropped[0]).toEqual({ name: 'm5', cause: 'kafka_away' });
    while (producer.queue.length > 0) producer.acknowledge(5);
    expect(producer.log).toEqual(
      Array.from({ length: 100 }, (_, index) => `m${index}`).filter(
        (name) => !producer.dropped.some((lost) => lost.name === name),
      ),
    );
  });

  test('drops a message that the broker rejects, and continues', () => {
    const producer = new FakeProducer();
    producer.outbox = new Outbox(limits(), producer.events, null);
    producer.outbox.resume();
    producer.outbox.add(['a', 'b', 'c'].map(message));
    const [, b] = producer.queue.splice(1, 1).concat(producer.queue[1]!).toReversed();
    producer.outbox.rejected(b!, 'kafka_message_size_too_large');
    producer.acknowledge(3);
    expect(producer.log).toEqual(['a', 'c']);
    expect(producer.dropped).toEqual([{ name: 'b', cause: 'kafka_message_size_too_large' }]);
    expect(producer.outbox.pending).toBe(0);
  });

  test('resolves drained with true after the last acknowledgement, with false after the timeout', async () => {
    const producer = new FakeProducer();
    producer.outbox = new Outbox(limits(), producer.events, null);
    producer.outbox.resume();
    expect(await producer.outbox.drained(1)).toBe(true);
    producer.outbox.add([message('a')]);
    expect(await producer.outbox.drained(1)).toBe(false);
    const drained = producer.outbox.drained(10_000);
    producer.acknowledge(1);
    expect(await drained).toBe(true);
  });

  test('without a spool reports its messages as dropped when it is closed', () => {
    const producer = new FakeProducer();
    producer.outbox = new Outbox(limits(), producer.events, null);
    producer.outbox.resume();
    producer.outbox.add(Array.from({ length: 9 }, (_, index) => message(`m${index}`)));
    producer.outbox.close('closed_before_delivery');
    expect(producer.dropped).toHaveLength(9);
  });
});
