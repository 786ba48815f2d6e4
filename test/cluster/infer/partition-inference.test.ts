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

/** Small, so that short stories fill windows. */
const SIZE = 12;

/** What is asked of a camera in one frame: which tracks show, which end, what else happens. */
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

/** The same story told twice: to one stage, as `run` does it, and as records of one partition. */
function tell(steps: readonly Step[], hop: number) {
  const frames: (FrameFaces | { epochEnded: number })[] = [];
  const records: FaceCropBatch[] = [];
  const options = { hop, gapSeconds: 1 };
  let batcher = new CropBatcher(options);
  let epoch = 1;
  let frame = 0;
  let gone = new Map<number, number>();
  let epochBegan = 0;
  for (const { tracks, ends, skip, shade, unreliable, epoch: happens } of steps) {
    // A file is played again by another worker: all that was sent of it comes once more.
    if (happens === 'repeated') records.push(...records.slice(epochBegan));
    else if (happens) {
      frames.push({ epochEnded: epoch });
      // A worker that is killed takes along what it had gathered; here it had just handed everything over.
      records.push(
        ...(happens === 'ended' ? batcher.endEpoch('cam') : batcher.flushOlderThan(Number.POSITIVE_INFINITY)),
      );
      batcher = new CropBatcher(options);
      epochBegan = records.length;
      epoch += 1;
      frame = 0;
      gone = new Map();
    }
    frame += skip;
    const ids = tracks.map((track) => track + 3 * (gone.get(track) ?? 0));
    const crops = ids.map((trackId) => faceCrop({ frame, trackId, epoch, shade, unreliable }));
    const faces = frameOf(crops, ends ? [ids[0]!] : []);
    if (ends) gone.set(tracks[0]!, (gone.get(tracks[0]!) ?? 0) + 1);
    frames.push(faces);
    records.push(...batcher.push(faces, 0));
  }
  records.push(...batcher.endEpoch('cam'));
  frames.push({ epochEnded: epoch });
  return { frames, records };
}

async function undisturbed(
  frames: ReturnType<typeof tell>['frames'],
  options: ReturnType<typeof inferOptions.parse>,
) {
  const events: { frames: AuFrame[]; activations: AuActivation[] } = { frames: [], activations: [] };
  const stage = new InferStage(fakeModel(SIZE, options.hop), options, {
    frames: (some) => void events.frames.push(...some),
    activations: (some) => void events.activations.push(...some),
    dropped: () => {},
  });
  for (const frame of frames)
    if ('epochEnded' in frame) await stage.endEpoch('cam', frame.epochEnded);
    else await stage.push(frame);
  return events;
}

/** Works through the records; at each of `deaths` the owner is lost with all that it has not committed. */
async function disturbed(
  records: readonly FaceCropBatch[],
  options: ReturnType<typeof inferOptions.parse>,
  deaths: readonly { after: number; commitEvery: number }[],
) {
  const log = { frames: [] as AuFrame[], activations: [] as AuActivation[] };
  const states = new Map<string, Buffer>();
  let committed: number | null = null;
  let encodedAgain = 0;
  for (const { after, commitEvery } of [...deaths, { after: Number.POSITIVE_INFINITY, commitEvery: 3 }]) {
    const model = fakeModel(SIZE, options.hop);
    const partition = new PartitionInference(model, {
      infer: options,
      states: new Map([...states].map(([key, value]) => [key, decodeState(value)!])),
      committed,
      skipped: () => {},
      commitPending: () => {},
    });
    const commit = () => {
      const output = partition.collect();
      if (!output) return;
      log.frames.push(...output.frames);
      log.activations.push(...output.activations);
      for (const [key, state] of output.states)
        if (state) states.set(key, encodeState(state));
        else states.delete(key);
      committed = output.offset;
    };
    let taken = 0;
    for (let offset = partition.start ?? 0; offset < records.length && taken < after; offset += 1) {
      partition.process(offset, records[offset]!, 0);
      taken += 1;
      // Let the stage run for a while, as far as it comes.
      for (let turn = 0; turn < offset % 7; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (taken % commitEvery === 0) commit();
    }
    if (after === Number.POSITIVE_INFINITY) {
      await settled(partition);
      commit();
    }
    encodedAgain += model.encoded;
  }
  return { ...log, states, committed, encoded: encodedAgain };
}

async function settled(partition: PartitionInference) {
  while (partition.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function withoutClock<T extends { inferredAt: number }>(events: readonly T[]) {
  return events.map(({ inferredAt: _, ...event }) => event);
}

describe('PartitionInference', () => {
  it('gives what one process gives, each event once and in order, whenever its owners die', async () => {
    const death = fc.record({
      after: fc.integer({ min: 1, max: 60 }),
      commitEvery: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 150 }),
        fc.constantFrom(1, 5, SIZE),
        fc.constantFrom('causal' as const, 'centered' as const, 'off' as const),
        fc.array(death, { maxLength: 6 }),
        async (steps, hop, mode, deaths) => {
          const options = inferOptions.parse({
            hop,
            smoothing: { mode, kernel: 11, sigma: 1.5 },
            activations: { minSeconds: 0.1, release: 0.9 },
            batch: { max: 7, deadlineMs: 0 },
          });
          const story = tell(steps, hop);
          const expected = await undisturbed(story.frames, options);
          const given = await disturbed(story.records, options, deaths);
          const byTrack = (events: readonly AuFrame[]) =>
            Map.groupBy(withoutClock(events), (event) => `${event.epoch}/${event.trackId}`);
          expect(byTrack(given.frames)).toEqual(byTrack(expected.frames));
          const byId = (events: readonly AuActivation[]) =>
            withoutClock(events).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1));
          expect(byId(given.activations)).toEqual(byId(expected.activations));
          expect(given.committed).toBe(story.records.length);
        },
      ),
      { numRuns: 150 },
    );
  });
});
