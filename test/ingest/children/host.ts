import { Recorder } from '../recorder.ts';

// A host with one camera, to be killed.
const camera = new Recorder({ url: process.argv[2]! });
await camera.frames(3);
process.send!(camera.supervisor.pid);
