import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'austream-clips-'));
const removeFolder = () => rmSync(folder, { recursive: true, force: true });
// Vitest's workers exit without the event `exit`; benchmarks run without Vitest.
if (process.env.VITEST) (await import('vitest')).afterAll(removeFolder);
else process.once('exit', removeFolder);

/** Makes a file with GStreamer; `launch` is the pipeline before the filesink. Returns its file URL. */
export function makeClip(name: string, launch: string): string {
  const path = join(folder, name);
  execFileSync('gst-launch-1.0', ['-q', ...launch.split(' '), '!', 'filesink', `location=${path}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return pathToFileURL(path).href;
}

/** Makes a clip, H.264 in MP4 by default, in which every frame differs. Returns its file URL. */
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
