import { fileURLToPath } from 'node:url';
import { Simulator } from '../../src/simulate/simulator.ts';
import { movingClip } from '../../test/ingest/clips.ts';
import { measureCameraChild, NO_DETECTION_CHILD } from '../camera-child.ts';
import type { ServiceTimes } from './times.ts';

const FPS = 25;
const SECONDS = 20;
const face = fileURLToPath(new URL('../../models/demo/clip.mp4', import.meta.url));

/**
 * CPU seconds of a camera process per frame of a 1080p25 H.264 stream: receiving and decoding, detection without a face,
 * and the additional cost of one moving, speaking face in front of a still background.
 */
export async function measureCamera(): Promise<Pick<ServiceTimes, 'decode' | 'analyse' | 'analyseFace'>> {
  const perFrame = async (source: string, entry?: string) => {
    const simulator = await Simulator.start({ sources: [source], size: [1920, 1080], fps: FPS });
    const { cpu, frames } = await measureCameraChild(simulator.urls[0]!, SECONDS, entry);
    await simulator.stop();
    return { received: cpu / FPS, analysed: (cpu * SECONDS) / frames };
  };
  const decode = (await perFrame(face, NO_DETECTION_CHILD)).received;
  const withoutFace = fileURLToPath(movingClip('nobody.mp4', { fps: FPS, frames: 2 * FPS }));
  const empty =
    (await perFrame(withoutFace)).analysed - (await perFrame(withoutFace, NO_DETECTION_CHILD)).received;
  const withFace = (await perFrame(face)).analysed - decode;
  return { decode, analyse: Math.max(0, empty), analyseFace: withFace - Math.max(0, empty) };
}
