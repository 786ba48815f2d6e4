import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type InFlightMessage, Outbox, type OutboxEntry } from '../../src/publish/outbox.ts';
import { Spool } from '../../src/publish/spool.ts';

const LIMITS = { windowMessages: 5, windowBytes: 1e6, memoryBytes: 1e6, releaseEvery: 4 };
const spoolOptions = (dir: string) => ({ dir, maxMegabytes: 1, syncSeconds: 60 });

/** A producer and its broker: takes messages in order, and acknowledges them in order, or dies first. */
class Peer {
  queue: InFlightMessage[] = [];
  /** What the broker has, as it came. */
  readonly log: string[] = [];
  readonly dropped: { name: string; cause: string }[] = [];
  outbox!: Outbox;

  events = {
    send: (flight: InFlightMessage) => this.queue.push(flight) > 0,
    delivered: () => {},
    dropped: (entry: OutboxEntry, cause: string) => {
      this.dropped.push({ name: entry.value.toString().trimEnd(), cause });
    },
  };

  acknowledge(count: number): void {
    for (const flight of this.queue.slice(0, count)) {
      this.queue.shift();
      this.log.push(flight.entry.value.toString().trimEnd());
      this.outbox.delivered(flight);
    }
  }

  /** The broker stores `stored` messages, but nobody learns of it: the producer is gone. */
  breakDown(stored: number): void {
    for (const { entry } of this.queue.slice(0, stored)) this.log.push(entry.value.toString().trimEnd());
    this.queue = [];
    this.outbox.pause();
  }
}

const message = (name: string) => ({ topic: 't', key: 'cam/1', value: Buffer.from(name.padEnd(1500)) });
const once = (log: readonly string[]) => [...new Set(log)];

/** Checks that nothing is released which the broker does not have. */
function watched(spool: Spool, peer: Peer): Spool {
  const release = spool.release.bind(spool);
  spool.release = (throughSeq) => {
    for (const { entry } of peer.queue) expect(entry.seq).toBeGreaterThan(throughSeq);
    release(throughSeq);
  };
  return spool;
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
  fc.record({ do: fc.constant('away' as const), count: fc.constant(0) }),
  fc.record({ do: fc.constant('break' as const), count: fc.nat(4) }),
  fc.record({ do: fc.constant('resume' as const), count: fc.constant(0) }),
  fc.record({ do: fc.constant('crash' as const), count: fc.nat(4) }),
);

describe('an outbox', () => {
  for (const disk of [false, true])
    test(`${disk ? 'with a spool' : 'in memory'} delivers everything in order, whatever happens to its producer`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const root = mkdtempSync(join(tmpdir(), 'austream-outbox-'));
          const peer = new Peer();
          let lives = 0;
          const spools: Spool[] = [];
          const begin = async () => {
            const dir = join(root, String(lives));
            const spool = disk ? await Spool.open(spoolOptions(dir), () => expect.unreachable()) : null;
            if (spool) spools.push(watched(spool, peer));
            peer.outbox = new Outbox(LIMITS, peer.events, spool);
            peer.outbox.resume();
          };
          await begin();
          const added: string[] = [];
          const add = (count: number) => {
            const names = Array.from({ length: count }, (_, index) => `m${added.length + index}`);
            added.push(...names);
            peer.outbox.add(names.map(message));
          };
          for (const { do: what, count } of steps) {
            if (what === 'add') add(count);
            else if (what === 'acknowledge') peer.acknowledge(count);
            else if (what === 'away') peer.outbox.brokersUnreachable();
            else if (what === 'break') peer.breakDown(count);
            else if (what === 'resume') peer.outbox.resume();
            else if (disk) {
              // kill -9 while the brokers are away: what is on disk is all that the next process has.
              peer.outbox.brokersUnreachable();
              peer.breakDown(count);
              cpSync(join(root, String(lives)), join(root, String(lives + 1)), { recursive: true });
              lives += 1;
              await begin();
            }
          }
          peer.outbox.resume();
          while (peer.outbox.pending > 0) {
            expect(peer.queue.length).toBeGreaterThan(0);
            peer.acknowledge(3);
          }
          expect(once(peer.log)).toEqual(added);
          const whole = !steps.some((taken) => taken.do === 'break' || taken.do === 'crash');
          if (whole) expect(peer.log).toEqual(added);
          expect(peer.dropped).toEqual([]);
          for (const spool of spools) await spool.close();
          rmSync(root, { recursive: true });
        }),
        { numRuns: disk ? 150 : 300 },
      );
    });

  test('drops the oldest that wait in memory past its bound, and says which', () => {
    const peer = new Peer();
    peer.outbox = new Outbox({ ...LIMITS, memoryBytes: 50_000 }, peer.events, null);
    peer.outbox.resume();
    peer.outbox.add(Array.from({ length: 100 }, (_, index) => message(`m${index}`)));
    const kept = peer.outbox.waiting;
    expect(kept).toBeGreaterThan(10);
    expect(peer.dropped).toHaveLength(100 - 5 - kept);
    expect(peer.dropped[0]).toEqual({ name: 'm5', cause: 'kafka_away' });
    while (peer.queue.length > 0) peer.acknowledge(5);
    expect(peer.log).toEqual(
      Array.from({ length: 100 }, (_, index) => `m${index}`).filter(
        (name) => !peer.dropped.some((lost) => lost.name === name),
      ),
    );
  });

  test('gives up a message that the broker refuses, and goes on', () => {
    const peer = new Peer();
    peer.outbox = new Outbox(LIMITS, peer.events, null);
    peer.outbox.resume();
    peer.outbox.add(['a', 'b', 'c'].map(message));
    const [, b] = peer.queue.splice(1, 1).concat(peer.queue[1]!).toReversed();
    peer.outbox.rejected(b!, 'kafka_message_size_too_large');
    peer.acknowledge(3);
    expect(peer.log).toEqual(['a', 'c']);
    expect(peer.dropped).toEqual([{ name: 'b', cause: 'kafka_message_size_too_large' }]);
    expect(peer.outbox.pending).toBe(0);
  });

  test('tells when all is delivered, or that it is not in time', async () => {
    const peer = new Peer();
    peer.outbox = new Outbox(LIMITS, peer.events, null);
    peer.outbox.resume();
    expect(await peer.outbox.drained(1)).toBe(true);
    peer.outbox.add([message('a')]);
    expect(await peer.outbox.drained(1)).toBe(false);
    const drained = peer.outbox.drained(10_000);
    peer.acknowledge(1);
    expect(await drained).toBe(true);
  });

  test('counts what it still has when it is closed without a spool', () => {
    const peer = new Peer();
    peer.outbox = new Outbox(LIMITS, peer.events, null);
    peer.outbox.resume();
    peer.outbox.add(Array.from({ length: 9 }, (_, index) => message(`m${index}`)));
    peer.outbox.close('closed_before_delivery');
    expect(peer.dropped).toHaveLength(9);
  });
});
