import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CameraOptions } from '../camera/options.ts';
import type { Config } from '../config/schema.ts';
import { CROP_SIZE, type FaceCrop } from '../domain/face.ts';
import { AustreamError, ERROR_CODES, type ErrorCode } from '../errors.ts';
import { CameraSupervisor } from '../ingest/host/supervisor.ts';
import { tileGrid } from '../ingest/protocol/picture-tiles.ts';
import { MAX_CROPS } from '../ingest/protocol/wire.ts';

/** One frame of a camera, (height, width, 3) RGB bytes. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const ENTRY = fileURLToPath(new URL('../ingest/child/snapshot.ts', import.meta.url));
/** On top of `ingest.connectSeconds`: start of the process, and the first frames. */
const EXTRA_MS = 20_000;

/**
 * Takes one picture of a camera, scaled down to at most about a megapixel, in a camera process like that of `run`. Throws
 * the camera's error at its first failure; CAMERA_NO_VIDEO if no frame comes in time.
 */
export async function takePicture(
  camera: CameraOptions,
  { ingest, detect }: Pick<Config, 'ingest' | 'detect'>,
): Promise<Picture> {
  const result = Promise.withResolvers<Picture>();
  let size: { width: number; height: number } | null = null;
  let crops: readonly FaceCrop[] = [];
  const finish = () => {
    if (size !== null && crops.length > 0) result.resolve(assemble(crops, size.width, size.height));
  };
  const supervisor = new CameraSupervisor(
    camera,
    { ingest, detect: { ...detect, maxFaces: MAX_CROPS }, entry: ENTRY },
    {
      faces: (faces) => {
        if (faces.crops.length > 0) crops = faces.crops;
        finish();
      },
      epochEnded: () => {},
      status: ({ state, cause, detail, width, height }) => {
        if (width !== null && height !== null) size = { width, height };
        if (state === 'RECONNECTING' || state === 'STALLED') result.reject(cameraError(cause, detail));
        finish();
      },
    },
  );
  const timer = setTimeout(
    () => result.reject(cameraError('CAMERA_NO_VIDEO', 'no frame came in time')),
    ingest.connectSeconds * 1_000 + EXTRA_MS,
  );
  supervisor.done.then(
    () => result.reject(cameraError('CAMERA_ENDED', 'it ended without a frame')),
    (error) => result.reject(error),
  );
  supervisor.start();
  try {
    return await result.promise;
  } finally {
    clearTimeout(timer);
    await supervisor.stop();
  }
}

/**
 * Writes the file, readable by its owner alone. Without `force` an existing file stays: ARGUMENT_INVALID. A failure leaves
 * no file, and a link at the path is not followed.
 */
export function writePrivateFile(path: string, bytes: Uint8Array, force: boolean): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
    if (force) renameSync(temporary, path);
    else linkSync(temporary, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsError(path);
    throw new AustreamError('ARGUMENT_INVALID', `${path} cannot be written: ${code}`, {
      fix: 'choose a folder that exists and that you may write to',
      cause,
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

export function existsError(path: string): AustreamError {
  return new AustreamError('ARGUMENT_INVALID', `${path} exists already`, {
    fix: 'choose another file, or add --force to replace it',
  });
}

function assemble(crops: readonly FaceCrop[], frameWidth: number, frameHeight: number): Picture {
  const { side, columns, rows } = tileGrid(frameWidth, frameHeight);
  if (crops.length !== columns * rows)
    throw cameraError('CAMERA_PROCESS_DIED', 'the picture does not have the size of the stream');
  const width = Math.max(1, Math.floor((frameWidth * CROP_SIZE) / side));
  const height = Math.max(1, Math.floor((frameHeight * CROP_SIZE) / side));
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x += CROP_SIZE) {
      const tile = crops[Math.floor(y / CROP_SIZE) * columns + x / CROP_SIZE]!.pixels;
      const start = (y % CROP_SIZE) * CROP_SIZE * 3;
      const length = Math.min(CROP_SIZE, width - x) * 3;
      pixels.set(tile.subarray(start, start + length), (y * width + x) * 3);
    }
  return { width, height, pixels };
}

function cameraError(cause: string, detail: string): AustreamError {
  const code = Object.hasOwn(ERROR_CODES, cause) ? (cause as ErrorCode) : 'CAMERA_STREAM_FAILED';
  return new AustreamError(code, detail);
}
