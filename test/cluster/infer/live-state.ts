import { PartitionInference } from '../../../src/cluster/infer/partition-inference.ts';
import { type decodeState, encodeState } from '../../../src/cluster/infer/state-record.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';
import { fakeModel } from '../../infer/fake-model.ts';

const HOP = 4;
/** The key of `liveState`. */
export const KEY = 'cam/0/1';
const options = inferOptions.parse({
  hop: HOP,
  smoothing: { mode: 'centered', kernel: 5 },
  batch: { max: 4, deadlineMs: 0 },
});

/** An inference over these state records. */
export function openInference(states: Map<string, ReturnType<typeof decodeState>>) {
  return new PartitionInference(fakeModel(16, HOP), {
    infer: options,
    states,
    committed: 0,
    skipped: () => {},
    idleSeconds: 60,
    epochRevived: () => {},
    commitPending: () => {},
  });
}

/** The state record of a live track, as an owner writes it. */
export async function liveState(): Promise<Buffer> {
  const inference = openInference(new Map());
  const batcher = new CropBatcher({ hop: HOP, gapSeconds: 1 });
  let offset = 0;
  for (let frame = 0; frame < 40; frame += 1)
    for (const batch of batcher.push(frameOf([faceCrop({ frame, shade: 250 })]), 0))
      inference.process(offset++, batch, 0);
  await inference.settled();
  return encodeState(inference.collect().states.get(KEY)!);
}
