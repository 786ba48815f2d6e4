import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EpochOrder } from '../../../src/cluster/infer/epoch-order.ts';

const IDLE_SECONDS = 60;
const IDLE = IDLE_SECONDS * 1e6;

/** Owners of one camera whose host clocks differ by up to a day; each sends records at times of its own. */
const owners = fc.uniqueArray(
  fc.record({
    epoch: fc.integer({ min: 1, max: 1_000 }),
    clock: fc.integer({ min: -86_400_000_000, max: 86_400_000_000 }),
  }),
  { minLength: 2, maxLength: 4, selector: ({ epoch }) => epoch },
);
/** Who sends next, and microseconds since the record before. */
const sends = fc.array(
  fc.record({ owner: fc.nat(), after: fc.integer({ min: 0, max: 30_000_000 }), crops: fc.boolean() }),
  { maxLength: 200 },
);

describe('the order of epochs', () => {
  it('is the newest epoch that is not silent, whatever the clocks of the hosts are', () => {
    fc.assert(
      fc.property(owners, sends, (all, steps) => {
        const order = new EpochOrder(IDLE_SECONDS);
        let now = 1e15;
        let current = -1;
        /** When the current epoch was last heard. */
        let heardAt = now;
        for (const { owner, after, crops } of steps) {
          now += after;
          const { epoch, clock } = all[owner % all.length]!;
          const verdict = order.judge('cam', epoch, crops ? now + clock : null);
          if (epoch > current) expect(verdict).toBe('begins');
          else if (epoch === current) expect(verdict).toBe('current');
          // An older epoch never counts while the current one is heard.
          else if (now - heardAt < IDLE) expect(verdict).toBe('old');
          if (verdict === 'begins' || verdict === 'revives') {
            order.begin('cam', epoch);
            current = epoch;
          }
          if (epoch === current) heardAt = now;
        }
      }),
    );
  });

  it('lets whoever is left count again within idleSeconds of its own crops', () => {
    fc.assert(
      fc.property(owners, sends, fc.nat(), (all, steps, left) => {
        const order = new EpochOrder(IDLE_SECONDS);
        let now = 1e15;
        const send = ({ epoch, clock }: (typeof all)[number]) => {
          const verdict = order.judge('cam', epoch, now + clock);
          if (verdict === 'begins' || verdict === 'revives') order.begin('cam', epoch);
          return verdict;
        };
        for (const { owner, after } of steps) {
          now += after;
          send(all[owner % all.length]!);
        }
        const survivor = all[left % all.length]!;
        const verdicts = [];
        for (let second = 0; second <= 2 * IDLE_SECONDS; second += 1) {
          now += 1e6;
          verdicts.push(send(survivor));
        }
        expect(verdicts.at(-1)).toBe('current');
        expect(verdicts.filter((verdict) => verdict === 'old').length).toBeLessThanOrEqual(IDLE_SECONDS + 1);
      }),
    );
  });

  it('is kept for each camera by itself', () => {
    const order = new EpochOrder(IDLE_SECONDS);
    order.begin('a', 5);
    expect(order.judge('b', 1, 0)).toBe('begins');
    expect(order.judge('a', 1, 0)).toBe('old');
    order.forget('a');
    expect(order.judge('a', 1, 0)).toBe('begins');
  });
});
