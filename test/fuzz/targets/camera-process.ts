import { cameraOptions } from '../../../src/camera/options.ts';
import { CROP_BYTES, type FrameFaces } from '../../../src/domain/face.ts';
import { FrameGuard } from '../../../src/ingest/host/frame-guard.ts';
import { LineDecoder } from '../../../src/ingest/protocol/channel.ts';
import type { ToHost } from '../../../src/ingest/protocol/messages.ts';
import { parseToHost } from '../../../src/ingest/protocol/to-host.ts';
import { encodeFaces, FacesDecoder } from '../../../src/ingest/protocol/wire.ts';
import { faceCrop } from '../../infer/faces.ts';
import type { FuzzTarget } from '../target.ts';

const camera = cameraOptions.parse({ id: 'cam', url: 'rtsp://127.0.0.1/' });

function faces(count: number): FrameFaces {
  const crops = Array.from({ length: count }, (_, index) =>
    faceCrop({ frame: 7, trackId: index + 1, epoch: 5, live: true }),
  );
  const {
    pixels: _,
    box: __,
    quality: ___,
    trackId: ____,
    zones: _____,
    ...stamp
  } = faceCrop({
    frame: 7,
    epoch: 5,
    live: true,
  });
  return { ...stamp, crops, endedTracks: [3] };
}

/** Frames on the pipe: what an attacker in a camera process sends to the host. */
export const frameBytes: FuzzTarget = {
  name: 'frames of a camera process',
  seeds: [encodeFaces(faces(0)), encodeFaces(faces(1)), encodeFaces(faces(2))],
  dictionary: ['AUF1', '"crops":', '"endedTracks":'],
  run(input) {
    const guard = new FrameGuard(camera, 2, 0);
    for (const frame of new FacesDecoder(2).push(input)) check(guard, frame);
  },
};

/** The same with the lengths in order, so that the JSON is reached. */
export const frameJson: FuzzTarget = {
  name: 'frames of a camera process, their JSON',
  grammar: 'json',
  seeds: [1, 2].map((count) => {
    const message = encodeFaces(faces(count));
    return message.subarray(12, 12 + message.readUInt32LE(4));
  }),
  run(json) {
    const header = Buffer.from('AUF1\0\0\0\0\x01\0\0\0', 'latin1');
    header.writeUInt32LE(json.length, 4);
    const guard = new FrameGuard(camera, 2, 0);
    for (const frame of new FacesDecoder(2).push(Buffer.concat([header, json, Buffer.alloc(CROP_BYTES)])))
      check(guard, frame);
  },
};

const messages: ToHost[] = [
  { type: 'opening' },
  { type: 'resolved', detail: 'profile main' },
  {
    type: 'epoch',
    epoch: 5,
    cause: 'first_frame',
    width: 64,
    height: 48,
    codec: 'h264',
    clockSource: 'arrival',
    clockErrorMs: null,
    captureTime: 1,
    receivedAt: 1,
  },
  {
    type: 'report',
    rss: 1,
    decoded: 1,
    analysed: 1,
    drops: { overload: 2 },
    clockErrorMs: -3.5,
    driftPpm: 1,
  },
  { type: 'failed', code: 'CAMERA_STALLED', message: 'no frame', fix: 'look' },
];

/** Messages of a camera process. */
export const messageLines: FuzzTarget = {
  name: 'messages of a camera process',
  grammar: 'json',
  seeds: messages.map((message) => Buffer.from(`${JSON.stringify(message)}\n`)),
  dictionary: ['NODE_HANDLE_ACK', 'childGone', '\n'],
  run(input) {
    for (const message of new LineDecoder().push(input)) {
      const { type } = parseToHost(message);
      if (!messages.some((known) => known.type === type) && !['connected', 'ended'].includes(type))
        throw new TypeError(`accepted the type ${type}`);
    }
  },
};

function check(guard: FrameGuard, frame: FrameFaces): void {
  guard.check(frame);
  for (const { box, quality, pixels } of frame.crops) {
    if (pixels.length !== CROP_BYTES) throw new TypeError(`a crop of ${pixels.length} bytes`);
    if (!Object.values(box).every(Number.isFinite) || !Number.isFinite(quality.score))
      throw new TypeError('a crop with a number that is not finite');
  }
}
