import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { makeClip, movingClip } from './clips.ts';
import { Recorder } from './recorder.ts';

describe('a video file', () => {
  test('delivers every frame exactly once, in order, with its PTS as capture time, the same in each run', async () => {
    const clip = movingClip('moving.mp4', { frames: 60 });
    const first = new Recorder({ url: clip });
    await first.supervisor.done;
    expect(first.faces.map(({ frame }) => frame)).toEqual(Array.from({ length: 60 }, (_, index) => index));
    expect(first.faces.map(({ captureTime }) => captureTime)).toEqual(
      Array.from({ length: 60 }, (_, index) => index * 40_000),
    );
    expect(new Set(first.checksums).size).toBe(60);
    expect(
      first.faces.every(
        ({ epoch, clockSource, interval }) => epoch === 0 && clockSource === 'file' && interval === 40_000,
      ),
    ).toBe(true);
    expect(first.endedEpochs).toEqual([0]);
    expect(first.states).toEqual(['CONNECTING', 'LIVE', 'STOPPED']);

    const second = new Recorder({ url: clip });
    await second.supervisor.done;
    expect(second.checksums).toEqual(first.checksums);
  });

  test('waits for a slow reader and drops no frame', async () => {
    const clip = movingClip('waited-for.mp4', { frames: 40 });
    const camera = new Recorder(
      { url: clip },
      {},
      { onFaces: () => new Promise((resolve) => setTimeout(resolve, 25)) },
    );
    await camera.supervisor.done;
    expect(camera.faces.map(({ frame }) => frame)).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(camera.statuses.at(-1)!.drops).toEqual({});
  });

  test('ends in order although the host is busy while its process exits', async () => {
    const clip = movingClip('busy-host.mp4', { frames: 12 });
    const block = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    // Nothing is read from the process while this thread is blocked; it has long sent its last message then.
    const camera = new Recorder({ url: clip }, {}, { onFaces: block });
    await camera.supervisor.done;
    expect(camera.faces).toHaveLength(12);
    expect(camera.statuses.at(-1)).toMatchObject({ state: 'STOPPED', cause: 'CAMERA_ENDED' });
  });

  test('above analysisFps is decimated evenly, and drops are counted', async () => {
    const clip = movingClip('fast.mp4', { frames: 60, fps: 50 });
    const camera = new Recorder({ url: clip, analysisFps: 25 });
    await camera.supervisor.done;
    expect(camera.faces.map(({ frame }) => frame)).toEqual(
      Array.from({ length: 30 }, (_, index) => index * 2),
    );
    expect(camera.faces.every(({ interval }) => interval === 40_000)).toBe(true);
    expect(camera.statuses.at(-1)!.drops).toEqual({ analysis_fps: 30 });
  });

  test('with B-frames is played in presentation order', async () => {
    const encoder = 'x264enc b-adapt=false bframes=3 key-int-max=25';
    const camera = new Recorder({ url: movingClip('b-frames.mp4', { frames: 40, encoder }) });
    await camera.supervisor.done;
    expect(camera.faces.map(({ captureTime }) => captureTime)).toEqual(
      Array.from({ length: 40 }, (_, index) => index * 40_000),
    );
    expect(new Set(camera.checksums).size).toBe(40);
  });

  test.each([
    ['png', 'pngenc'],
    ['jpg', 'jpegenc'],
  ])('a still image (%s) is one frame', async (type, encoder) => {
    const still = makeClip(
      `still.${type}`,
      `videotestsrc num-buffers=1 ! video/x-raw,width=101,height=77 ! ${encoder}`,
    );
    const camera = new Recorder({ url: still });
    await camera.supervisor.done;
    expect(camera.faces).toHaveLength(1);
    expect(camera.faces[0]).toMatchObject({ frame: 0, captureTime: 0, epoch: 0 });
    expect(camera.statuses.at(-1)).toMatchObject({ width: 101, height: 77 });
  });

  test.each([
    ['webm', 'vp8enc deadline=1 ! webmmux'],
    ['mkv', 'x265enc speed-preset=ultrafast ! h265parse ! matroskamux'],
    ['avi', 'jpegenc ! avimux'],
  ])('in another container and codec (%s) is played', async (type, encoder) => {
    const clip = makeClip(
      `other.${type}`,
      `videotestsrc num-buffers=20 pattern=ball ! video/x-raw,width=160,height=120,framerate=20/1 ! ${encoder}`,
    );
    const camera = new Recorder({ url: clip });
    await camera.supervisor.done;
    expect(camera.faces).toHaveLength(20);
  });
});

describe('a file that cannot be played', () => {
  test('that does not exist', async () => {
    const camera = new Recorder({ url: 'file:///nowhere/clip.mp4' });
    await expect(camera.supervisor.done).rejects.toMatchObject({
      code: 'CAMERA_NOT_FOUND',
      message: expect.stringContaining('/nowhere/clip.mp4'),
    });
    expect(camera.state).toBe('STOPPED');
  });

  test('that is not a video', async () => {
    const url = makeClip('text.mp4', 'fakesrc num-buffers=1 sizetype=fixed sizemax=10');
    writeFileSync(fileURLToPath(url), 'Dear camera, this is a letter.\n'.repeat(20));
    await expect(new Recorder({ url }).supervisor.done).rejects.toMatchObject({ code: 'CAMERA_NO_VIDEO' });
  });

  test('with audio only', async () => {
    const audio = makeClip('sound.wav', 'audiotestsrc num-buffers=20 ! wavenc');
    await expect(new Recorder({ url: audio }).supervisor.done).rejects.toMatchObject({
      code: 'CAMERA_NO_VIDEO',
    });
  });
});
