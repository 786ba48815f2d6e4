import { openSync } from 'node:fs';
import { Recorder } from '../recorder.ts';

// A host that may open no further file, and has a camera to watch. Its own pipe is open already.
try {
  for (;;) openSync('/dev/null', 'r');
} catch {}
const camera = new Recorder({ url: 'rtsp://127.0.0.1:9/' }, { statusSeconds: 1 }, { child: 'steady' });
await camera.until('another attempt', () => (camera.statuses.at(-1)!.restarts ?? 0) >= 2);
process.send!(camera.statuses.at(-1)!.detail);
await camera.supervisor.stop();
process.disconnect?.();
