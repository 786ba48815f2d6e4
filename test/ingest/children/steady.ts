import { Socket } from 'node:net';
import { HostChannel } from '../../../src/ingest/child/host-channel.ts';
import { type EpochCause, FACES_FD, type ToHost } from '../../../src/ingest/protocol/messages.ts';
import { encodeFaces } from '../../../src/ingest/protocol/wire.ts';

// A fake camera process that never ends: sends two epochs of one frame each, then only reports with rising counts.
const pipe = new Socket({ fd: FACES_FD, readable: false, writable: true });
const host = new HostChannel(() => process.exit());
const send = (message: ToHost) => void host.send(message);

function sendEpoch(cameraId: string, epoch: number, cause: EpochCause): void {
  const stamp = { epoch, clockSource: 'arrival', clockErrorMs: null, captureTime: 1, receivedAt: 1 } as const;
  send({ type: 'epoch', ...stamp, cause, width: 64, height: 48, codec: 'h264' });
  pipe.write(encodeFaces({ ...stamp, cameraId, frame: 0, interval: 40_000, crops: [], endedTracks: [] }));
}

host.onMessage((message) => {
  if (message.type === 'stop') process.exit();
  if (message.type !== 'start') return;
  const epoch = message.lastEpoch + 1;
  send({ type: 'opening' });
  sendEpoch(message.camera.id, epoch, 'first_frame');
  sendEpoch(message.camera.id, epoch + 1, 'format_changed');
  let decoded = 0;
  setInterval(() => {
    decoded += 5;
    send({
      type: 'report',
      rss: 1,
      decoded,
      analysed: decoded,
      drops: {},
      clockErrorMs: null,
      driftPpm: null,
    });
  }, 200);
});
