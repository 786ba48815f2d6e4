import { accessSync, constants, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { isTls } from '../../camera/source-url.ts';
import { AustreamError } from '../../errors.ts';
import { LIVE_BUFFERS } from './decoder-queue.ts';
import { DECODED_PROBE, RTP_PROBE } from './pipeline-elements.ts';
import type { RtspProxy } from './rtsp/proxy.ts';

/** The pipeline to launch for a camera. Values from outside are properties, never part of `launch`. */
interface SourceLaunch {
  readonly launch: string;
  readonly properties: Record<string, Record<string, string | boolean>>;
  /** Live sources never wait: newest wins. A file waits for its reader. */
  readonly live: boolean;
}

/** The queue absorbs a reader's stall of a few frames (GDP packets of tags and caps take buffers too). Newest wins. */
const LIVE_SINK = `appsink name=sink sync=false max-buffers=${LIVE_BUFFERS} drop=true`;
const FILE_SINK = 'appsink name=sink sync=false max-buffers=4 drop=false';
const TO_I420 = `decodebin name=decode ! videoconvert ! video/x-raw,format=I420 ! identity name=${DECODED_PROBE} ! gdppay`;

/**
 * Makes the pipeline of a camera. `proxy`: where rtspsrc reaches an rtsp:// or rtsps:// camera.
 * Throws CAMERA_NOT_FOUND for a missing file, CAMERA_UNREACHABLE for a missing device.
 */
export function sourceLaunch(camera: CameraOptions, proxy: RtspProxy | null): SourceLaunch {
  const { url } = splitCredentials(camera.url);
  switch (url.slice(0, url.indexOf(':'))) {
    case 'rtsp':
    case 'rtsps': {
      // buffer-mode=none: PTS by RTP time alone. The default skews the PTS by packet arrival, which under load or with
      // B-frames makes the intervals of evenly spaced frames uneven; `CaptureClock` follows the drift instead.
      return {
        launch: `rtspsrc name=src protocols=${isTls(url) ? 'tcp' : camera.transport} latency=200 buffer-mode=none tcp-timeout=10000000 ! application/x-rtp,media=video ! identity name=${RTP_PROBE} silent=false ! ${TO_I420} ! ${LIVE_SINK}`,
        properties: {
          src: {
            location: proxy!.location,
            proxy: `http://${proxy!.endpoint}`,
            'user-agent': proxy!.userAgent,
          },
        },
        live: true,
      };
    }
    case 'v4l2':
      return {
        launch: `v4l2src name=src ! ${TO_I420} ! ${LIVE_SINK}`,
        properties: { src: { device: devicePath(url) } },
        live: true,
      };
    default:
      return {
        launch: `filesrc name=src ! ${TO_I420} ! ${FILE_SINK}`,
        properties: { src: { location: filePath(url) } },
        live: false,
      };
  }
}

function filePath(url: string): string {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (cause) {
    throw new AustreamError('CAMERA_NOT_FOUND', `${url} is not a file URL of this machine`, {
      fix: 'write file URLs with three slashes: file:///path/to/clip.mp4',
      cause,
    });
  }
  if (!existsSync(path)) throw new AustreamError('CAMERA_NOT_FOUND', `the file ${path} does not exist`);
  return path;
}

/** Checks the device first: GStreamer reports its errors before gstreamer-superficial listens to the bus. */
function devicePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return path;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be opened: ${code}`;
    throw new AustreamError('CAMERA_UNREACHABLE', `the device ${path} ${problem}`, { cause });
  }
}
