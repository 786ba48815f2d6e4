import { openSync } from 'node:fs';
import { Recorder } from '../recorder.ts';

// A host process at its limit of open files (EMFILE) that starts a camera. Its own IPC pipe is already open.
try {
  for (;;) openSync('/dev/null', 'r');
} catch {}
const camera = new Recorder({ url: 'rtsp://127.0.0.1:9/' }, { statusSeconds: 1 }, { child: 'steady' });
await camera.until('another restart', () => (camera.statuses.at(-1)!.restarts ?? 0) >= 2);
process.send!(camera.statuses.at(-1)!.detail);
await camera.supervisor.stop();
process.disconnect?.();
