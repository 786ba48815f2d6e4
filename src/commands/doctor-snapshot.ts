import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { NO_AREAS } from '../camera/areas.ts';
import type { CameraOptions } from '../camera/options.ts';
import { loadConfig } from '../config/schema.ts';
import { drawAreas } from '../doctor/draw-areas.ts';
import { existsError, takePicture, writePrivateFile } from '../doctor/snapshot.ts';
import { AustreamError } from '../errors.ts';
import { printLine } from './output.ts';

export interface SnapshotFlags {
  config?: string;
  snapshot: string;
  camera?: string;
  force?: boolean;
}

const FORMATS: Readonly<Record<string, 'jpeg' | 'png'>> = { '.jpg': 'jpeg', '.jpeg': 'jpeg', '.png': 'png' };

/** `austream doctor --snapshot`: one picture of a camera with its masks and zones. Throws ARGUMENT_INVALID and camera errors. */
export async function saveSnapshot(flags: SnapshotFlags): Promise<void> {
  const { config: file, snapshot: path, force = false } = flags;
  if (file === undefined)
    throw new AustreamError('ARGUMENT_INVALID', '--snapshot needs the config of the camera', {
      fix: 'add --config FILE',
    });
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined)
    throw new AustreamError('ARGUMENT_INVALID', `${path} is neither a JPEG nor a PNG file`, {
      fix: 'end its name with .jpg or .png',
    });
  if (!force && existsSync(path)) throw existsError(path);
  const config = loadConfig(file);
  const camera = chooseCamera(config.cameras, flags.camera);
  const areas = camera.detect ?? NO_AREAS;
  const picture = await takePicture(camera, config);
  writePrivateFile(path, await drawAreas(picture, areas, format), force);
  const zones = areas.zones.map(({ id }) => id).join(', ') || 'none';
  printLine(
    `${path}: a picture of camera ${camera.id}, readable by you alone; masks (red): ${areas.masks.length}; zones (green): ${zones}`,
  );
}

function chooseCamera(cameras: readonly CameraOptions[], id: string | undefined): CameraOptions {
  const [first, ...others] = cameras;
  const chosen = id === undefined && others.length === 0 ? first : cameras.find((each) => each.id === id);
  if (chosen) return chosen;
  const ids = cameras.map((each) => each.id).join(', ');
  const problem =
    id === undefined ? 'the config does not have exactly one camera' : `there is no camera ${id}`;
  throw new AustreamError('ARGUMENT_INVALID', problem, {
    fix: ids === '' ? 'add the camera to the config' : `choose one with --camera: ${ids}`,
  });
}
