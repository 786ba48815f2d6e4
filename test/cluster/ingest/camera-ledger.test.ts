import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BEAT_MS,
  CameraLedger,
  type Duty,
  type Sighting,
} from '../../../src/cluster/ingest/camera-ledger.ts';
import { claimOf, MAX_EPOCH, MAX_KNOWN_EPOCH, newClaim } from '../../../src/domain/epoch.ts';

const STATUS_MS = 10_000;
const YEAR_MS = 365 * 86_400_000;

/** A worker that runs the camera `cam`, without processes and brokers: only its ledger and its place in the log. */
class Worker {
  readonly name: string;
  readonly ledger: CameraLedger;
  /** Its host's clock, which may be years off and may step. */
  wallMs: number;
  epoch: number | null = null;
  /** Epochs of crops that it has sent, each with a confirmed claim. */
  readonly begun: number[] = [];
  yielded = false;
  alive = true;
  #read = 0;

  constructor(name: string, wallMs: number) {
    this.name = name;
    this.wallMs = wallMs;
    this.ledger = new CameraLedger(name, STATUS_MS);
  }

  claim(log: Sighting[], random: number): void {
    this.epoch = this.ledger.claim('cam', this.wallMs, random);
    this.yielded = false;
    this.publish(log, 'CONNECTING');
  }

  publish(log: Sighting[], state: Sighting['state']): void {
    log.push({ cameraId: 'cam', worker: this.name, epoch: this.epoch, state, at: this.wallMs * 1_000 });
  }

  /** Reads at most `count` records of the log. */
  read(log: Sighting[], count: number, now: number): void {
    for (const sighting of log.slice(this.#read, this.#read + count)) {
      this.#read += 1;
      for (const duty of this.ledger.observe(sighting, now)) this.do(duty, log);
    }
  }

  do(duty: Duty, log: Sighting[]): void {
    if (duty.type === 'confirmed') this.begun.push(this.epoch!);
    else if (duty.type === 'claimAgain') this.claim(log, 0.5);
    else if (duty.type === 'yield') {
      this.yielded = true;
      this.publish(log, 'PAUSED');
    }
  }
}

const clock = fc.integer({ min: -3 * YEAR_MS, max: 3 * YEAR_MS }).map((off) => Date.UTC(2026, 5) + off);
const step = fc.record({
  worker: fc.nat({ max: 3 }),
  what: fc.oneof(
    { weight: 4, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 1, arbitrary: fc.record({ clock }) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 2, arbitrary: fc.constant('status' as const) },
  ),
});

describe('the ledger of cameras and their workers', () => {
  it('ends with one owner, the newest, and no epoch is used twice, whatever the clocks and the order of events', () => {
    fc.assert(
      fc.property(
        fc.array(clock, { minLength: 2, maxLength: 4 }),
        fc.array(step, { maxLength: 60 }),
        (clocks, steps) => {
          const log: Sighting[] = [];
          const retired: number[] = [];
          let named = 0;
          const start = (wallMs: number) => {
            const worker = new Worker(`w${named++}`, wallMs);
            worker.read(log, Number.POSITIVE_INFINITY, 0);
            // Every worker draws the same number: the log alone must tell them apart.
            worker.claim(log, 0.5);
            return worker;
          };
          const workers = clocks.map(start);
          for (const { worker: index, what } of steps) {
            const at = index % workers.length;
            const worker = workers[at]!;
            if (what === 'restart') {
              retired.push(...worker.begun);
              workers[at] = start(worker.wallMs);
            } else if (what === 'status') {
              if (worker.ledger.mayPublish('cam') && worker.ledger.isConfirmed('cam'))
                worker.publish(log, 'LIVE');
            } else if ('clock' in what) worker.wallMs = what.clock;
            else worker.read(log, what.read, 0);
          }
          for (let round = 0; round < 20; round += 1)
            for (const worker of workers) worker.read(log, Number.POSITIVE_INFINITY, 0);
          const owners = workers.filter(({ yielded }) => !yielded);
          expect(owners).toHaveLength(1);
          const highest = Math.max(...log.map(({ epoch }) => epoch!));
          expect(claimOf(owners[0]!.epoch!)).toBe(claimOf(highest));
          const begun = [...retired, ...workers.flatMap((worker) => worker.begun)];
          expect(new Set(begun.map(claimOf)).size).toBe(begun.length);
          // Within one worker's life they only grow, though its clock goes back.
          for (const worker of workers) expect(worker.begun).toEqual(worker.begun.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 500 },
    );
  });

  /** Two workers; the newer one runs the camera and knows of the older, which stands by. */
  function contested() {
    const log: Sighting[] = [];
    const older = new Worker('older', Date.UTC(2027, 0));
    const newer = new Worker('newer', Date.UTC(2020, 0));
    const readAll = (now: number) => {
      for (let round = 0; round < 4; round += 1)
        for (const worker of [older, newer]) worker.read(log, Number.POSITIVE_INFINITY, now);
    };
    older.claim(log, 0);
    readAll(0);
    newer.claim(log, 0);
    readAll(0);
    return { log, older, newer, readAll };
  }

  it('lets the newer worker win although its clock is years behind, and tells both names', () => {
    const { older, newer } = contested();
    expect(older.yielded).toBe(true);
    expect(newer.yielded).toBe(false);
    expect(newer.epoch).toBeGreaterThan(older.epoch!);
    expect(newer.ledger.contestedBy('cam')).toBe('older');
    expect(older.ledger.ownerOf('cam')).toMatchObject({ worker: 'newer' });
    expect(older.ledger.mayPublish('cam')).toBe(false);
  });

  it('takes a camera over seconds after its contested owner went silent, later where it never beat', () => {
    const { log, older, newer, readAll } = contested();
    expect(older.ledger.takeOver(29_000)).toEqual([]);
    expect(older.ledger.takeOver(30_000)).toMatchObject([
      { type: 'claimAgain', why: 'newer is silent for 30 s' },
    ]);
    let now = 1_000;
    for (let beat = 0; beat < 5; beat += 1) {
      now += BEAT_MS;
      newer.wallMs += BEAT_MS;
      newer.publish(log, 'LIVE');
      readAll(now);
      expect(older.ledger.takeOver(now)).toEqual([]);
    }
    expect(older.ledger.takeOver(now + 5_900)).toEqual([]);
    expect(older.ledger.takeOver(now + 6_000)).toHaveLength(1);
    // A burst of changes is not a beat: it says nothing about when the next status is due.
    newer.wallMs += 9_000;
    for (let change = 0; change < 5; change += 1) newer.publish(log, 'RECONNECTING');
    readAll(now + 9_000);
    expect(older.ledger.takeOver(now + 20_000)).toEqual([]);
  });

  it('knows beats with other statuses halfway between them', () => {
    const { log, older, newer, readAll } = contested();
    let now = 1_000;
    for (let status = 0; status < 10; status += 1) {
      now += BEAT_MS / 2;
      newer.wallMs += BEAT_MS / 2;
      newer.publish(log, 'LIVE');
      readAll(now);
    }
    expect(older.ledger.takeOver(now + 6_000)).toHaveLength(1);
  });

  it('takes a camera over at once when its owner has stopped it, unless it starts it again', () => {
    const { log, older, newer, readAll } = contested();
    newer.publish(log, 'STOPPED');
    readAll(1_000);
    expect(older.ledger.takeOver(2_900)).toEqual([]);
    expect(older.ledger.takeOver(3_000)).toMatchObject([{ why: 'newer has stopped the camera' }]);
    newer.claim(log, 0);
    readAll(3_000);
    expect(older.ledger.takeOver(9_000)).toEqual([]);
  });

  it('does not call a camera contested for a late record of the worker that left it', () => {
    const log: Sighting[] = [];
    const before = new Worker('before', 1e12);
    const after = new Worker('after', 1e12);
    before.claim(log, 0);
    after.read(log, 9, 0);
    after.claim(log, 0);
    before.publish(log, 'LIVE');
    before.publish(log, 'STOPPED');
    after.read(log, 9, 0);
    expect(after.ledger.contestedBy('cam')).toBeNull();
    // A worker of an earlier version does not yield.
    for (let time = 0; time < 2; time += 1)
      log.push({ cameraId: 'cam', worker: null, epoch: before.epoch, state: 'LIVE', at: 0 });
    after.read(log, 9, 0);
    expect(after.ledger.contestedBy('cam')).toBe('a worker of an earlier version');
  });

  it('ignores files, whose epochs begin at 0, and epochs that nobody can have', () => {
    const ledger = new CameraLedger('me', STATUS_MS);
    const epoch = ledger.claim('cam', 1e12, 0);
    for (const other of [0, 7, MAX_KNOWN_EPOCH + 1, null])
      expect(
        ledger.observe({ cameraId: 'cam', worker: 'other', epoch: other, state: 'LIVE', at: 0 }, 0),
      ).toEqual([]);
    expect(ledger.claim('cam', 0, 0)).toBeGreaterThan(epoch);
  });

  it('claims above what is known, near the clock where nothing is, and within the bound', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 0, max: MAX_KNOWN_EPOCH })),
        fc.oneof(fc.constant(Number.MAX_SAFE_INTEGER), fc.integer({ min: -1e15, max: 1e15 })),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (known, now, random) => {
          const epoch = newClaim(known, now, random);
          expect(claimOf(epoch)).toBeGreaterThan(known === null ? -1 : claimOf(known));
          expect(epoch).toBeLessThan(MAX_EPOCH);
          expect(Number.isSafeInteger(epoch)).toBe(true);
        },
      ),
    );
  });
});
