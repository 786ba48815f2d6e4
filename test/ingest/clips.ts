import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'austream-clips-'));
const clean = () => rmSync(folder, { recursive: true, force: true });
// Vitest ends its workers without the event; benchmarks run without Vitest.
if (process.env.VITEST) (await import('vitest')).afterAll(clean);
else process.once('exit', clean);

/** Makes a file with GStreamer; `launch` is everything before the sink. Returns its file URL. */
export function makeClip(name: string, launch: string): string {
  const path = join(folder, name);
  execFileSync('gst-launch-1.0', ['-q', ...launch.split(' '), '!', 'filesink', `location=${path}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return pathToFileURL(path).href;
}

/** A moving picture, H.264 in MP4; every frame differs. */
export function movingClip(
  name: string,
  {
    frames = 50,
    fps = 25,
    width = 320,
    height = 240,
    encoder = 'x264enc speed-preset=ultrafast key-int-max=25',
  } = {},
): string {
  return makeClip(
    name,
    `videotestsrc num-buffers=${frames} pattern=ball ! video/x-raw,format=I420,width=${width},height=${height},framerate=${fps}/1 ! ${encoder} ! mp4mux`,
  );
}
