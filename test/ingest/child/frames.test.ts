import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FrameFaces } from '../../../src/domain/face.ts';
import type { FrameStamp } from '../../../src/domain/frame.ts';
import { FrameDecimator } from '../../../src/ingest/child/frame-decimator.ts';
import { parseGdp } from '../../../src/ingest/child/gdp.ts';
import { parseCaps, pictureBytes, viewI420 } from '../../../src/ingest/child/picture.ts';
import { SendQueue } from '../../../src/ingest/child/send-queue.ts';
import { decoderRanks } from '../../../src/ingest/host/decoders.ts';
import { GapFinder } from '../../../src/ingest/host/gaps.ts';

describe('picture formats', () => {
  const caps = (fields: string) =>
    `video/x-raw, width=(int)641, height=(int)361, format=(string)I420, ${fields}`;

  test.each([
    ['colorimetry=(string)bt709, framerate=(fraction)30000/1001', 'bt709', false, 29.97],
    ['colorimetry=(string)bt601, framerate=(fraction)0/1', 'bt601', false, null],
    ['colorimetry=(string)1:4:0:0, framerate=(fraction)25/1', 'bt601', true, 25],
    ['colorimetry=(string)2:3:5:1, framerate=(fraction)25/1', 'bt709', false, 25],
    ['framerate=(fraction)90000/1', 'bt601', false, null],
  ] as const)('%s', (fields, matrix, fullRange, fps) => {
    const format = parseCaps(caps(fields))!;
    expect(format).toMatchObject({ width: 641, height: 361, matrix, fullRange });
    if (fps === null) expect(format.fps).toBeNull();
    else expect(format.fps).toBeCloseTo(fps, 2);
  });

  test('that are none', () => {
    expect(parseCaps('video/x-raw, width=(int)640, height=(int)360, format=(string)NV12')).toBeNull();
    expect(parseCaps('application/x-gdp')).toBeNull();
  });

  test('planes of odd sizes lie where GStreamer puts them', () => {
    const format = parseCaps(caps('framerate=(fraction)25/1'))!;
    // GstVideoInfo of 641×361 I420: strides 644, 324, 324; offsets 0, 233128, 291772; size 350416.
    expect(pictureBytes(format)).toBe(350_416);
    const image = viewI420(
      Uint8Array.from({ length: 350_416 }, (_, index) => index % 251),
      format,
    )!;
    expect([image.strideY, image.strideC]).toEqual([644, 324]);
    expect([image.u[0], image.v[0]]).toEqual([233_128 % 251, 291_772 % 251]);
    expect(viewI420(new Uint8Array(350_415), format)).toBeNull();
  });
});

test('a packet has the payload that its header tells, and bytes that end before are none', () => {
  const type = fc.constantFrom(0, 1, 2, 3, 0xffff);
  const length = fc.oneof(fc.nat(100), fc.constant(0xffff_ffff));
  fc.assert(
    fc.property(type, length, fc.uint8Array({ maxLength: 100 }), (type, length, rest) => {
      const header = Buffer.alloc(62, 0xff);
      header.writeUInt16BE(type, 4);
      header.writeUInt32BE(length, 6);
      const packet = parseGdp(Buffer.concat([header, rest]));
      if (length > rest.length) {
        expect(packet).toBeNull();
        return;
      }
      expect(packet?.type).toBe(type === 1 ? 'buffer' : type === 2 ? 'caps' : 'event');
      if (packet?.type === 'buffer') expect([...packet.payload]).toEqual([...rest.slice(0, length)]);
    }),
  );
  for (let bytes = 0; bytes < 62; bytes++) expect(parseGdp(new Uint8Array(bytes))).toBeNull();
});

describe('the cadence', () => {
  const kept = (cadence: FrameDecimator, times: readonly number[]) =>
    times.filter((time) => cadence.admit(time));

  test.each([
    [25, 30, 250, 40_000],
    [30, 30, 300, 33_333],
    [50, 25, 250, 40_000],
    [60, 30, 300, 33_333],
    [30, 20, 200, 50_000],
  ])('of %d frames a second when %d are wanted keeps %d in 10 s', (source, wanted, count, interval) => {
    const times = Array.from({ length: source * 10 }, (_, index) => (index * 1_000_000) / source);
    const cadence = new FrameDecimator(wanted, source);
    expect(Math.abs(kept(cadence, times).length - count)).toBeLessThanOrEqual(1);
    expect(cadence.interval).toBe(interval);
  });

  test('does not thin a stream of the wanted rate for its jitter', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -3_000, max: 3_000 }), { minLength: 60, maxLength: 60 }),
        (jitter) => {
          const times = jitter.map((shift, index) => index * 40_000 + shift);
          expect(kept(new FrameDecimator(25, 25), times)).toHaveLength(60);
        },
      ),
    );
  });

  test('measures the rate where the declared one lies', () => {
    const cadence = new FrameDecimator(120, 100);
    for (let frame = 0; frame < 40; frame++) cadence.admit(frame * 66_667);
    expect(cadence.interval).toBe(66_667);
  });
});

describe('gaps', () => {
  const stamp = (
    seconds: number,
    epoch = 1,
    clockSource: FrameStamp['clockSource'] = 'rtcp',
    ahead = 0,
  ): FrameStamp => ({
    cameraId: 'c',
    epoch,
    frame: 0,
    captureTime: (1000 + seconds + ahead) * 1e6,
    clockSource,
    clockErrorMs: null,
    receivedAt: (1000 + seconds) * 1e6 + 50_000,
    interval: 40_000,
  });

  test('within a run are measured by capture time, with the frames that are missing', () => {
    const gaps = new GapFinder(1);
    expect(gaps.next(stamp(0))).toBeNull();
    expect(gaps.next(stamp(1))).toBeNull();
    expect(gaps.next(stamp(3))).toEqual({
      from: 1001e6,
      to: 1003e6,
      cause: 'frames_missing',
      framesLost: 49,
    });
  });

  test('between runs have the cause of the interruption', () => {
    const gaps = new GapFinder(1);
    gaps.next(stamp(0));
    gaps.interrupted('CAMERA_STALLED');
    expect(gaps.next(stamp(5, 2))).toEqual({
      from: 1000e6,
      to: 1005e6,
      cause: 'CAMERA_STALLED',
      framesLost: null,
    });
    gaps.interrupted('CAMERA_PROCESS_DIED');
    expect(gaps.next(stamp(5.5, 3))).toBeNull();
    expect(gaps.next(stamp(9, 3))!.cause).toBe('frames_missing');
  });

  test('of a stream with a frame a second are longer than its distances, however they jitter', () => {
    const gaps = new GapFinder(1);
    const slow = (seconds: number, epoch = 1) => ({ ...stamp(seconds, epoch), interval: 1_000_000 });
    for (const [second, jitter] of [0, 0.004, -0.01, 0.02, 1, 0.3].entries())
      expect(gaps.next(slow(second + jitter))).toBeNull();
    expect(gaps.next(slow(7.5, 2))).toBeNull();
    expect(gaps.next(slow(11, 2))).toMatchObject({ cause: 'frames_missing', framesLost: 3 });
  });

  test('across a change of clocks are told in this host’s time', () => {
    const gaps = new GapFinder(1);
    gaps.next(stamp(0, 1, 'rtcp', 3600));
    expect(gaps.next(stamp(4, 2, 'arrival'))).toMatchObject({ from: 1000.05e6, to: 1004.05e6 });
    expect(gaps.next(stamp(4.1, 3, 'rtcp', 3600))).toBeNull();
  });
});

describe('the outbox', () => {
  const faces = (frame: number, endedTracks: number[] = []) =>
    ({ frame, epoch: 1, endedTracks, crops: [] }) as unknown as FrameFaces;

  test('keeps the newest while the host is behind, counts the others, and loses no end of a track', () => {
    const sent: FrameFaces[] = [];
    let lost = 0;
    const outbox = new SendQueue(
      (message) => sent.push(message),
      () => lost++,
    );
    for (let frame = 0; frame < 20; frame++) outbox.offer(faces(frame, [frame]));
    expect(sent.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    outbox.taken();
    expect(sent.at(-1)).toMatchObject({
      frame: 19,
      endedTracks: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    });
    expect(lost).toBe(11);
  });

  test('lets a file wait, in order', async () => {
    const sent: FrameFaces[] = [];
    const outbox = new SendQueue(
      (message) => sent.push(message),
      () => expect.unreachable(),
    );
    const delivered = (async () => {
      for (let frame = 0; frame < 30; frame++) await outbox.deliver(faces(frame));
    })();
    for (let frame = 0; frame < 30; frame++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent.length).toBeLessThanOrEqual(frame + 8);
      outbox.taken();
    }
    await delivered;
    expect(sent.map(({ frame }) => frame)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });
});

test('decoder ranks name each element once, hardware first where it is wanted', () => {
  for (const decoder of ['auto', 'software', 'nvdec', 'vaapi'] as const) {
    const names = decoderRanks(decoder)
      .split(',')
      .map((rank) => rank.split(':')[0]);
    expect(new Set(names).size).toBe(names.length);
  }
  expect(decoderRanks('software')).toContain('nvh264dec:NONE');
  expect(decoderRanks('nvdec')).toMatch(/nvh264dec:\d+.*vah264dec:NONE/);
});
