import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartitionInference } from '../../../src/cluster/infer/partition-inference.ts';
import { decodeState, encodeState } from '../../../src/cluster/infer/state-record.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import type { AuActivation, AuFrame } from '../../../src/domain/event.ts';
import type { FrameFaces } from '../../../src/domain/face.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { InferStage } from '../../../src/infer/stage.ts';
import type { FaceCropBatch } from '../../../src/records/events.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';
import { fakeModel } from '../../infer/fake-model.ts';

/** Rows of a window; small, so that short scenarios fill windows. */
const WINDOW = 12;

/** One analysed frame of a scenario: the tracks in it, whether one ends, whether the epoch changes before it. */
const step = fc.record({
  tracks: fc.oneof(
    { weight: 6, arbitrary: fc.constant<number[]>([1, 2]) },
    fc.subarray([1, 2, 3], { minLength: 1 }),
  ),
  ends: fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, fc.constant(true)),
  skip: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 40 })),
  shade: fc.integer({ min: 0, max: 255 }),
  unreliable: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, fc.constant('too_turned' as const)),
  epoch: fc.oneof(
    { weight: 40, arbitrary: fc.constant(null) },
    fc.constantFrom('ended' as const, 'killed' as const, 'repeated' as const),
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The same scenario twice: as frames for one stage, as in `austream run`, and as the records of one partition. */
function buildScenario(steps: readonly Step[], hop: number) {
  const frames: (FrameFaces | { epochEnded: number })[] = [];
  const records: FaceCropBatch[] = [];
  const options = { hop, gapSeconds: 1 };
  let batcher = new CropBatcher(options);
  let epoch = 1;
  let frame = 0;
  /** How often each track has ended: it returns with a new id. */
  let ended = new Map<number, number>();
  let epochBegan = 0;
  for (const { tracks, ends, skip, shade, unreliable, epoch: epochChange } of steps) {
    // Another worker plays a file again: all its records of this epoch are repeated.
    if (epochChange === 'repeated') records.push(...records.slice(epochBegan));
    else if (epochChange) {
      frames.push({ epochEnded: epoch });
      // A killed worker loses its incomplete records; here it had just flushed them.
      records.push(
        ...(epochChange === 'ended'
          ? batcher.endEpoch('cam')
          : batcher.flushOlderThan(Number.POSITIVE_INFINITY)),
      );
      batcher = new CropBatcher(options);
      epochBegan = records.length;
      epoch += 1;
      frame = 0;
      ended = new Map();
    }
    frame += skip;
    const ids = tracks.map((track) => track + 3 * (ended.get(track) ?? 0));
    const crops = ids.map((trackId) => faceCrop({ frame, trackId, epoch, shade, unreliable }));
    const faces = frameOf(crops, ends ? [ids[0]!] : []);
    if (ends) ended.set(tracks[0]!, (ended.get(tracks[0]!) ?? 0) + 1);
    frames.push(faces);
    records.push(...batcher.push(faces, 0));
  }
  records.push(...batcher.endEpoch('cam'));
  frames.push({ epochEnded: epoch });
  return { frames, records };
}

async function runInOneProcess(
  frames: ReturnType<typeof buildScenario>['frames'],
  options: ReturnType<typeof inferOptions.parse>,
) {
  const events: { frames: AuFrame[]; activations: AuActivation[] } = { frames: [], activations: [] };
  const stage = new InferStage(fakeModel(WINDOW, options.hop), options, {
    frames: (frames) => void events.frames.push(...frames),
    activations: (activations) => void events.activations.push(...activations),
    dropped: () => {},
  });
  for (const frame of frames)
    if ('epochEnded' in frame) await stage.endEpoch('cam', frame.epochEnded);
    else await stage.push(frame);
  return events;
}

/** Processes the records; at each of `crashes` the owner dies and a new one starts from the committed state. */
async function runWithCrashes(
  records: readonly FaceCropBatch[],
  options: ReturnType<typeof inferOptions.parse>,
  crashes: readonly { after: number; commitEvery: number }[],
) {
  const published = { frames: [] as AuFrame[], activations: [] as AuActivation[] };
  const states = new Map<string, Buffer>();
  let committed: number | null = null;
  let encoded = 0;
  for (const { after, commitEvery } of [...crashes, { after: Number.POSITIVE_INFINITY, commitEvery: 3 }]) {
    const model = fakeModel(WINDOW, options.hop);
    const partition = new PartitionInference(model, {
      infer: options,
      states: new Map([...states].map(([key, value]) => [key, decodeState(key, value)!])),
      committed,
      skipped: () => {},
      idleSeconds: 60,
      epochRevived: () => {},
      commitPending: () => {},
    });
    const commit = () => {
      if (!partition.hasContent) return;
      const output = partition.collect();
      published.frames.push(...output.frames);
      published.activations.push(...output.activations);
      for (const [key, state] of output.states)
        if (state) states.set(key, encodeState(state));
        else states.delete(key);
      committed = output.offset;
    };
    let processed = 0;
    for (let offset = partition.start ?? 0; offset < records.length && processed < after; offset += 1) {
      partition.process(offset, records[offset]!, 0);
      processed += 1;
      // Let the stage score some of the crops.
      for (let turn = 0; turn < offset % 7; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (processed % commitEvery === 0) commit();
    }
    if (after === Number.POSITIVE_INFINITY) {
      await settled(partition);
      commit();
    }
    encoded += model.encoded;
  }
  return { ...published, states, committed, encoded };
}

async function settled(partition: PartitionInference) {
  while (partition.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function withoutInferredAt<T extends { inferredAt: number }>(events: readonly T[]) {
  return events.map(({ inferredAt: _, ...event }) => event);
}

describe('PartitionInference', () => {
  it('publishes what one process publishes, each event once and in order, whenever its owners crash', async () => {
    const crash = fc.record({
      after: fc.integer({ min: 1, max: 60 }),
      commitEvery: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 150 }),
        fc.constantFrom(1, 5, WINDOW),
        fc.constantFrom('causal' as const, 'centered' as const, 'off' as const),
        fc.array(crash, { maxLength: 6 }),
        async (steps, hop, mode, crashes) => {
          const options = inferOptions.parse({
            hop,
            smoothing: { mode, kernel: 11, sigma: 1.5 },
            activations: { minSeconds: 0.1, release: 0.9 },
            batch: { max: 7, deadlineMs: 0 },
          });
          const scenario = buildScenario(steps, hop);
          const expected = await runInOneProcess(scenario.frames, options);
          const actual = await runWithCrashes(scenario.records, options, crashes);
          const byTrack = (events: readonly AuFrame[]) =>
            Map.groupBy(withoutInferredAt(events), (event) => `${event.epoch}/${event.trackId}`);
          expect(byTrack(actual.frames)).toEqual(byTrack(expected.frames));
          const byId = (events: readonly AuActivation[]) =>
            withoutInferredAt(events).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1));
          expect(byId(actual.activations)).toEqual(byId(expected.activations));
          expect(actual.committed).toBe(scenario.records.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  /** A partition of one camera; `frames` sends crops of an epoch, four a second, on a clock that is `ahead` (s). */
  function openPartition(hop = 1, committed: number | null = 0) {
    const options = inferOptions.parse({
      hop,
      smoothing: { mode: 'off' },
      batch: { max: 4, deadlineMs: 0 },
    });
    const revived: number[] = [];
    let skipped = 0;
    let offset = 0;
    const partition = new PartitionInference(fakeModel(WINDOW, hop), {
      infer: options,
      states: new Map(),
      committed,
      idleSeconds: 10,
      epochRevived: (_, epoch) => revived.push(epoch),
      skipped: (_, crops) => {
        skipped += crops;
      },
      commitPending: () => {},
    });
    const send = (records: readonly FaceCropBatch[], now = 0) => {
      for (const record of records) partition.process(offset++, record, now);
    };
    const owner = (epoch: number, ahead: number) => {
      const batcher = new CropBatcher({ hop: 1, gapSeconds: 1 });
      return (second: number) => {
        for (let quarter = 0; quarter < 4; quarter += 1) {
          const frame = second * 4 + quarter;
          const at = (second + ahead) * 1e6 + quarter * 250_000;
          send(batcher.push(frameOf([faceCrop({ frame, epoch, at, live: true })]), 0));
        }
      };
    };
    const collect = async () => {
      await partition.settled();
      return partition.collect();
    };
    return { partition, send, owner, collect, revived, skipped: () => skipped, end: () => offset };
  }

  it('scores the older of two workers on one camera again when the newer one dies, and only then', async () => {
    const { owner, collect, revived, skipped } = openPartition();
    const older = owner(1_000, 3_600);
    const newer = owner(2_000, 0);
    older(0);
    for (let second = 1; second < 30; second += 1) {
      older(second);
      newer(second);
    }
    const { frames: before } = await collect();
    expect(before.filter(({ epoch }) => epoch === 1_000).map(({ frame }) => frame)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(before.filter(({ epoch }) => epoch === 2_000)).toHaveLength(29 * 4);
    expect(skipped()).toBe(28 * 4);
    expect(revived).toEqual([]);
    for (let second = 30; second < 60; second += 1) older(second);
    const { frames: after, states } = await collect();
    expect(revived).toEqual([1_000]);
    expect(after.map(({ epoch }) => epoch)).toEqual(new Array(after.length).fill(1_000));
    // Ten seconds of silence, then everything.
    expect(after.length).toBeGreaterThanOrEqual(19 * 4);
    expect(states.get('cam')).toEqual({ kind: 'camera', epoch: 1_000 });
    expect(new Set([...before, ...after].map(({ eventId }) => eventId)).size).toBe(
      before.length + after.length,
    );
  });

  it('does not let the track of a file that is never played on keep the committed offset back for ever', async () => {
    const { partition, send, collect, end } = openPartition(4);
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    const now = Date.now();
    send(batcher.push(frameOf([faceCrop({ frame: 0 })]), 0), now);
    // One crop of a hop of four: the worker that plays the file is gone.
    send(batcher.flushOlderThan(1), now);
    expect(await collect()).toMatchObject({ offset: end() - 1 });
    partition.closeIdleTracks(now + 99_000, true);
    expect(await collect()).toMatchObject({ offset: end() - 1 });
    partition.closeIdleTracks(now + 101_000, true);
    expect(await collect()).toMatchObject({ offset: end(), frames: [{ frame: 0 }] });
  });

  it('never publishes a state without an offset: without one, the next owner takes the topic for a new one', async () => {
    const { send, collect } = openPartition(4, null);
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    // Without the announcement of the epoch. The first record waits for the rest of its hop; the second one is scored.
    batcher.push(frameOf([faceCrop({ frame: 0, trackId: 1 })]), 0);
    send(batcher.flushOlderThan(1));
    for (let frame = 1; frame < 5; frame += 1)
      send(batcher.push(frameOf([faceCrop({ frame, trackId: 2 })]), 0));
    const { states, offset } = await collect();
    expect(states.size).toBeGreaterThan(0);
    expect(offset).toBe(0);
  });
});
