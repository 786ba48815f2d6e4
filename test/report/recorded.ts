import type { AuFrame } from '../../src/domain/event.ts';
import { Recording } from '../../src/report/recording.ts';
import { generatedFrame } from '../dashboard/generated.ts';

/** `seconds` of one track at 25 fps; frames in `skip` are missing, frames in `unreliable` have no scores. */
export function frames(
  seconds: number,
  options: {
    cameraId?: string;
    trackId?: number;
    skip?: (n: number) => boolean;
    unreliable?: (n: number) => boolean;
  } = {},
): AuFrame[] {
  const { cameraId = 'cam', trackId = 1, skip = () => false, unreliable = () => false } = options;
  return Array.from({ length: seconds * 25 }, (_, frame) => frame)
    .filter((frame) => !skip(frame))
    .map((frame) =>
      generatedFrame({
        cameraId,
        trackId,
        frame,
        receivedAt: 1.7e15 + frame * 40_000,
        unreliable: unreliable(frame),
      }),
    );
}

export function recordingOf(...lists: AuFrame[][]): Recording {
  const recording = new Recording();
  for (const frame of lists.flat()) recording.addFrame(frame);
  return recording;
}

export const firstTrack = (recording: Recording) => [...recording.tracks.values()][0]!;
