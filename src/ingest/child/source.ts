import { accessSync, constants, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { AustreamError } from '../../errors.ts';
import { LIVE_BUFFERS } from './decoder-queue.ts';

/** What to launch for a camera, with everything that comes from outside kept apart as properties. */
export interface SourceLaunch {
  readonly launch: string;
  readonly properties: Record<string, Record<string, string | boolean>>;
  /** Live sources never wait: newest wins. A file waits for whoever reads it. */
  readonly live: boolean;
}

/** Its last message tells the PTS of the newest RTP packet (`rtcp.ts` says what for). */
const TAP = 'identity name=tap silent=false';
/**
 * Buffers between decoder and reader. Live: enough for a stall of the reader of a few frames, as tags and
 * formats take places too; a full queue loses its oldest.
 */
const LIVE_SINK = `appsink name=sink sync=false max-buffers=${LIVE_BUFFERS} drop=true`;
const FILE_SINK = 'appsink name=sink sync=false max-buffers=4 drop=false';
const TO_I420 =
  'decodebin name=decode ! videoconvert ! video/x-raw,format=I420 ! identity name=decoded ! gdppay';

/** `proxy`: the loopback `host:port` behind which an rtsps:// camera speaks plain RTSP. */
export function sourceLaunch(camera: CameraOptions, proxy?: string): SourceLaunch {
  const { url, ...inUrl } = splitCredentials(camera.url);
  switch (url.slice(0, url.indexOf(':'))) {
    case 'rtsp':
    case 'rtsps': {
      const user = camera.username ?? inUrl.username;
      const password = camera.password ?? inUrl.password;
      // buffer-mode=none: PTS by the RTP time alone. The default bends it by the packets' arrival, which under load
      // or with B-frames makes frames of equal distance jump about; `CaptureClock` follows the drift instead.
      return {
        launch: `rtspsrc name=src protocols=${proxy === undefined ? camera.transport : 'tcp'} latency=200 buffer-mode=none tcp-timeout=10000000 ! application/x-rtp,media=video ! ${TAP} ! ${TO_I420} ! ${LIVE_SINK}`,
        properties: {
          src: {
            location: proxy === undefined ? url : url.replace(/^rtsps:/i, 'rtsp:'),
            ...(proxy === undefined ? {} : { proxy: `http://${proxy}` }),
            ...(user === undefined ? {} : { 'user-id': user, 'user-pw': password ?? '' }),
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
    default: {
      const file = filePath(url);
      return {
        launch: `filesrc name=src ! ${TO_I420} ! ${FILE_SINK}`,
        properties: { src: { location: file } },
        live: false,
      };
    }
  }
}

function filePath(url: string): string {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (cause) {
    throw new AustreamError('CAMERA_NOT_FOUND', `${url} is no file URL of this machine`, {
      fix: 'file URLs have three slashes: file:///path/to/clip.mp4',
      cause,
    });
  }
  if (!existsSync(path)) throw new AustreamError('CAMERA_NOT_FOUND', `there is no file ${path}`);
  return path;
}

/** GStreamer's own errors about a device come too early for gstreamer-superficial to pass on. */
function devicePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return path;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'is not there' : `may not be used: ${code}`;
    throw new AustreamError('CAMERA_UNREACHABLE', `the device ${path} ${why}`, { cause });
  }
}
