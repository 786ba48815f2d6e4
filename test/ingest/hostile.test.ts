import { afterEach, describe, expect, test } from 'vitest';
import { Recorder } from './recorder.ts';

let camera: Recorder | undefined;
afterEach(() => camera?.supervisor.stop());

describe('a camera process that an attacker took over', () => {
  test.each([
    ['internal-ack', /invalid message: type/],
    ['internal-handle', /invalid message: type/],
    ['no-json', /is not JSON/],
    ['endless-line', /longer than 65536 bytes/],
    ['host-event', /invalid message: type/],
    ['unknown-code', /invalid message: code/],
    ['far-epoch', /sent epoch 4503599627370496, far above/],
    ['other-camera', /a frame of another camera/],
    ['file-clock', /the clock source file/],
    ['huge-json', /4294967295 bytes of JSON/],
    ['many-crops', /1024 faces; detect.maxFaces is 16/],
    ['proto-frame', /malformed frame/],
  ])('%s: the host ends the process, names why, and goes on', async (attack, why) => {
    camera = new Recorder({ url: 'rtsp://127.0.0.1:9/', id: attack }, {}, { child: 'hostile' });
    const { lastEpoch } = camera.supervisor;
    await camera.until('the host ends it', () => (camera!.statuses.at(-1)?.restarts ?? 0) >= 1);
    const reconnecting = camera.statuses.filter(({ state }) => state === 'RECONNECTING');
    expect(reconnecting[0]).toMatchObject({ cause: 'CAMERA_PROCESS_DIED', cameraId: attack });
    expect(reconnecting[0]!.detail).toMatch(why);
    expect(camera.faces).toEqual([]);
    expect(camera.supervisor.lastEpoch).toBe(lastEpoch);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });
});
