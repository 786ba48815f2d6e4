import { z } from 'zod';
import { CROP_BYTES, type FaceCrop, type FrameFaces } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';

/**
 * Wire format of the pipe from a camera process to its host. One message per frame:
 *
 *   "AUF1" · u32 length of the JSON · u32 number of crops · JSON (FrameFaces without pixels) · crops
 *
 * Integers are little-endian; each crop has `CROP_BYTES` bytes. The host does not trust the camera process: it parses
 * what a camera sends, and a fault in a decoder may have given it to an attacker.
 */
const MAGIC = 0x3146_5541;
const HEADER_BYTES = 12;
/** Largest `detect.maxFaces`. */
export const MAX_CROPS = 64;
/** Bounds of the JSON: the frame with its ended tracks, and each crop. Real ones have a tenth of it. */
const MAX_FRAME_JSON_BYTES = 1 << 16;
const MAX_CROP_JSON_BYTES = 1 << 12;
const MAX_ENDED_TRACKS = 1 << 12;
/** Zones of one face. */
const MAX_ZONES = 64;

const micros = z.int();
const trackId = z.int().min(1);
/** Pixels or degrees: far beyond any picture, but exact in float32. */
const coordinate = z.number().min(-1e6).max(1e6);
const share = z.number().min(0).max(1);

const crop = z.object({
  trackId,
  box: z.object({ x: coordinate, y: coordinate, w: coordinate, h: coordinate }),
  quality: z.object({
    score: share,
    faceHeight: coordinate,
    sharpness: share,
    yaw: coordinate,
    pitch: coordinate,
    roll: coordinate,
    detection: share,
    unreliable: z.enum(['too_small', 'too_turned', 'too_blurred', 'corrupt_video']).nullable(),
  }),
  zones: z.array(z.string().max(64)).max(MAX_ZONES),
});

/** Unknown keys are left out. */
const frame = z.object({
  cameraId: z.string().max(64),
  epoch: z.int().min(0),
  frame: z.int().min(0),
  captureTime: micros,
  clockSource: z.enum(['rtcp', 'arrival', 'file']),
  clockErrorMs: z.number().nullable(),
  receivedAt: micros,
  /** 1 ms or more. */
  interval: z.number().min(1_000).max(Number.MAX_SAFE_INTEGER),
  crops: z.array(crop).max(MAX_CROPS),
  endedTracks: z.array(trackId).max(MAX_ENDED_TRACKS),
  analysed: z.object({ from: micros, to: micros }).optional(),
});

/** Throws RangeError if a crop is not `CROP_BYTES` long. */
export function encodeFaces(faces: FrameFaces): Buffer {
  const stamps = faces.crops.map(({ trackId, box, quality, zones }) => ({ trackId, box, quality, zones }));
  const json = Buffer.from(JSON.stringify({ ...faces, crops: stamps }));
  const message = Buffer.allocUnsafe(HEADER_BYTES + json.length + faces.crops.length * CROP_BYTES);
  message.writeUInt32LE(MAGIC, 0);
  message.writeUInt32LE(json.length, 4);
  message.writeUInt32LE(faces.crops.length, 8);
  json.copy(message, HEADER_BYTES);
  faces.crops.forEach((crop, index) => {
    if (crop.pixels.length !== CROP_BYTES) throw new RangeError(`a crop has ${crop.pixels.length} bytes`);
    message.set(crop.pixels, HEADER_BYTES + json.length + index * CROP_BYTES);
  });
  return message;
}

/** Decodes messages from a pipe's chunks, which may split them anywhere. */
export class FacesDecoder {
  readonly #maxCrops: number;
  /** The header, then the whole message: allocated once its length is known to be within the bounds. */
  #message = Buffer.alloc(HEADER_BYTES);
  #filled = 0;

  /** `maxCrops`: of one frame, at most `MAX_CROPS`. */
  constructor(maxCrops = MAX_CROPS) {
    this.#maxCrops = Math.min(maxCrops, MAX_CROPS);
  }

  /** Adds a chunk; returns the messages that it completes. Throws CAMERA_PROCESS_DIED for anything else than frames. */
  push(chunk: Buffer): FrameFaces[] {
    const messages: FrameFaces[] = [];
    for (let offset = 0; offset < chunk.length; ) {
      const copied = chunk.copy(this.#message, this.#filled, offset);
      offset += copied;
      this.#filled += copied;
      if (this.#filled < this.#message.length) break;
      if (this.#message.length === HEADER_BYTES) this.#allocateMessage();
      // The JSON is never empty, so a complete message is longer than its header.
      if (this.#filled < this.#message.length) continue;
      messages.push(decodeFaces(this.#message));
      this.#message = Buffer.alloc(HEADER_BYTES);
      this.#filled = 0;
    }
    return messages;
  }

  #allocateMessage(): void {
    const header = this.#message;
    const jsonBytes = header.readUInt32LE(4);
    const crops = header.readUInt32LE(8);
    if (header.readUInt32LE(0) !== MAGIC) throw malformed('it does not begin with AUF1');
    if (crops > this.#maxCrops) throw malformed(`${crops} faces; detect.maxFaces is ${this.#maxCrops}`);
    const maxJsonBytes = MAX_FRAME_JSON_BYTES + crops * MAX_CROP_JSON_BYTES;
    if (jsonBytes < 2 || jsonBytes > maxJsonBytes) throw malformed(`${jsonBytes} bytes of JSON`);
    this.#message = Buffer.allocUnsafe(HEADER_BYTES + jsonBytes + crops * CROP_BYTES);
    header.copy(this.#message);
  }
}

function decodeFaces(message: Buffer): FrameFaces {
  const pixelsStart = HEADER_BYTES + message.readUInt32LE(4);
  let json: unknown;
  try {
    json = JSON.parse(message.toString('utf8', HEADER_BYTES, pixelsStart));
  } catch (cause) {
    throw malformed('its JSON cannot be parsed', cause);
  }
  const parsed = frame.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`${issue!.path.join('.')}: ${issue!.message}`);
  }
  const { crops: stamps, analysed, ...faces } = parsed.data;
  if (stamps.length !== message.readUInt32LE(8)) throw malformed('its JSON names another number of crops');
  const { endedTracks, ...stamp } = faces;
  const crops = stamps.map((face, index): FaceCrop => {
    const start = pixelsStart + index * CROP_BYTES;
    // A copy: the crop outlives the frame, and a view would keep the whole message in memory.
    return { ...stamp, ...face, pixels: new Uint8Array(message.subarray(start, start + CROP_BYTES)) };
  });
  return { ...stamp, crops, endedTracks, ...(analysed ? { analysed } : {}) };
}

function malformed(problem: string, cause?: unknown): AustreamError {
  return new AustreamError('CAMERA_PROCESS_DIED', `the camera process sent a malformed frame: ${problem}`, {
    cause,
  });
}
