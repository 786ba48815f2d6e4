import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEMO_CLIP } from './austream.ts';

const [W, H] = [640, 360];
const FRAME_BYTES = (W * H * 3) / 2;

/** The first `n` frames of the demo clip, which shows one face; I420, 640×360. */
export function faceFrames(n: number): Buffer[] {
  const launch = `filesrc location=${DEMO_CLIP} ! decodebin ! videoconvert ! video/x-raw,format=I420 ! fdsink`;
  return splitFrames(
    // `head` closes the pipe after n frames, which ends the GStreamer pipeline.
    spawnSync('bash', ['-c', `gst-launch-1.0 -q ${launch} 2>/dev/null | head -c ${n * FRAME_BYTES}`], {
      maxBuffer: n * FRAME_BYTES + 1,
    }).stdout,
  );
}

/** `n` frames of a test pattern of GStreamer's videotestsrc; I420, 640×360. */
export function patternFrames(pattern: string, n: number): Buffer[] {
  const launch = `videotestsrc pattern=${pattern} num-buffers=${n} ! video/x-raw,format=I420,width=${W},height=${H} ! fdsink`;
  return splitFrames(
    execFileSync('gst-launch-1.0', ['-q', ...launch.split(' ')], { maxBuffer: n * FRAME_BYTES + 1 }),
  );
}

/** Joins two frames into one of 1280×360. */
export function sideBySide(left: Buffer, right: Buffer): Buffer {
  const rows: Buffer[] = [];
  for (const [offset, width, height] of [
    [0, W, H],
    [W * H, W / 2, H / 2],
    [(W * H * 5) / 4, W / 2, H / 2],
  ] as const)
    for (let y = 0; y < height; y += 1)
      for (const half of [left, right])
        rows.push(half.subarray(offset + y * width, offset + (y + 1) * width));
  return Buffer.concat(rows);
}

/** Moves a frame's picture `dx` pixels to the right, an even number; what it uncovers is grey. */
export function shiftFrame(frame: Buffer, dx: number): Buffer {
  const out = Buffer.alloc(FRAME_BYTES, 128);
  for (const [offset, width, height, shift] of [
    [0, W, H, dx],
    [W * H, W / 2, H / 2, dx / 2],
    [(W * H * 5) / 4, W / 2, H / 2, dx / 2],
  ] as const)
    for (let y = 0; y < height; y += 1) {
      const row = offset + y * width;
      frame.copy(
        out,
        row + Math.max(0, shift),
        row + Math.max(0, -shift),
        row + Math.min(width, width - shift),
      );
    }
  return out;
}

/** Writes frames to a file: H.264 at 25 frames a second for .mp4, or one frame for .png. Returns its path. */
export function writeClip(folder: string, name: string, frames: readonly Buffer[]): string {
  const [raw, file] = [join(folder, `${name}.i420`), join(folder, name)];
  writeFileSync(raw, Buffer.concat(frames));
  const width = (frames[0]!.length / ((H * 3) / 2)) | 0;
  const encode = name.endsWith('.png') ? 'pngenc' : 'x264enc speed-preset=veryfast ! mp4mux';
  const launch =
    `filesrc location=${raw} ! rawvideoparse format=i420 width=${width} height=${H} framerate=25/1 ! ` +
    `videoconvert ! ${encode} ! filesink location=${file}`;
  execFileSync('gst-launch-1.0', ['-q', ...launch.split(' ')]);
  return file;
}

function splitFrames(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length / FRAME_BYTES }, (_, i) =>
    bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES),
  );
}
