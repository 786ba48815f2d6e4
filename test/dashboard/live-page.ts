/** A process of its own with a live page: one live camera with two faces. Prints its URL. Argument: the port, 0 for any. */
import { faceCrop, frameOf } from '../infer/faces.ts';
import { generate, generatedStatus } from './generated.ts';
import { serveLivePage } from './serve.ts';

const { store, url } = await serveLivePage({
  http: { port: Number(process.argv[2]) },
  dashboard: { open: true },
  showVideo: true,
});
store.updateCamera(generatedStatus('lobby', 'LIVE'));
store.addCrops(frameOf([faceCrop({ cameraId: 'lobby', epoch: 1, frame: 1, shade: 200, live: true })]));
generate(['lobby'], 2, (frames) => store.addFrames(frames));
console.log(url);
