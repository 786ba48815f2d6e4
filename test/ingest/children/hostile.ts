import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { HostChannel } from '../../../src/ingest/child/host-channel.ts';
import { FACES_FD, MESSAGES_FD } from '../../../src/ingest/protocol/messages.ts';
import { encodeFaces } from '../../../src/ingest/protocol/wire.ts';

// A camera process that an attacker took over. The id of its camera names the attack.
const line = (message: object) => `${JSON.stringify(message)}\n`;
const epoch = Date.now();
const stamp = {
  epoch,
  clockSource: 'arrival' as const,
  clockErrorMs: null,
  captureTime: epoch * 1000,
  receivedAt: epoch * 1000,
  interval: 40_000,
};
const faces = (cameraId: string, more: object = {}) =>
  encodeFaces({ ...stamp, cameraId, frame: 0, crops: [], endedTracks: [], ...more });

const ATTACKS: Record<string, (cameraId: string) => void> = {
  // Each of the first three ended a host that used Node's IPC channel.
  'internal-ack': () => write(MESSAGES_FD, line({ cmd: 'NODE_HANDLE_ACK' })),
  'internal-handle': () => write(MESSAGES_FD, line({ cmd: 'NODE_HANDLE', type: 'x' })),
  'no-json': () => write(MESSAGES_FD, 'not json\n'),
  'endless-line': () => {
    for (let sent = 0; sent < 1 << 20; sent += 4096) write(MESSAGES_FD, 'x'.repeat(4096));
  },
  // Events of the host itself, which its transition table would obey.
  'host-event': () => write(MESSAGES_FD, line({ type: 'childGone' })),
  'unknown-code': () => write(MESSAGES_FD, line({ type: 'failed', code: 'toString', message: '' })),
  'far-epoch': () =>
    write(MESSAGES_FD, line({ type: 'opening' })) ||
    write(
      MESSAGES_FD,
      line({
        type: 'epoch',
        ...stamp,
        epoch: 2 ** 52,
        cause: 'first_frame',
        width: 64,
        height: 48,
        codec: null,
      }),
    ),
  'other-camera': () => write(FACES_FD, faces('victim')),
  'file-clock': (id) => write(FACES_FD, faces(id, { clockSource: 'file' })),
  'huge-json': (id) => {
    const message = faces(id);
    message.writeUInt32LE(0xffff_ffff, 4);
    write(FACES_FD, message);
  },
  'many-crops': (id) => {
    const message = faces(id);
    message.writeUInt32LE(1024, 8);
    write(FACES_FD, message);
  },
  'proto-frame': () => {
    const json = Buffer.from('{"__proto__":{"polluted":1},"crops":null}');
    const header = Buffer.from('AUF1        ');
    header.writeUInt32LE(json.length, 4);
    header.writeUInt32LE(0, 8);
    write(FACES_FD, Buffer.concat([header, json]));
  },
};

function write(fd: number, data: string | Buffer): boolean {
  const bytes = Buffer.from(data);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit();
    }
  }
  return false;
}

const host = new HostChannel(() => process.exit());
host.onMessage(async (message) => {
  if (message.type !== 'start') return;
  ATTACKS[message.camera.id]?.(message.camera.id);
  // The host must end the process, not the process itself.
  await delay(60_000);
});
