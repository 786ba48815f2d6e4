import { Recorder } from '../recorder.ts';

// A host process with one camera; the test kills it.
const camera = new Recorder({ url: process.argv[2]! });
await camera.frames(3);
process.send!(camera.supervisor.pid);
