import { CROP_BYTES, type FaceCrop, type FrameFaces } from '../../domain/face.ts';

/**
 * Wire format of the pipe from a camera process to its host. One message per frame:
 *
 *   "AUF1" · u32 length of the JSON · u32 number of crops · JSON (FrameFaces without pixels) · crops
 *
 * Integers are little-endian; each crop has `CROP_BYTES` bytes.
 */
const MAGIC = 0x3146_5541;
const HEADER_BYTES = 12;
/** Bounds of one message; a frame with as many faces as the options allow stays far below. */
const MAX_JSON_BYTES = 1 << 20;
const MAX_CROPS = 1 << 10;

/** Throws RangeError if a crop is not `CROP_BYTES` long. */
export function encodeFaces(faces: FrameFaces): Buffer {
  const stamps = faces.crops.map(({ pixels, ...stamp }) => stamp);
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
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;

  /** Adds a chunk; returns the messages that it completes. Throws RangeError for bytes that are not a message. */
  push(chunk: Buffer): FrameFaces[] {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    const messages: FrameFaces[] = [];
    for (
      let length = this.#nextLength();
      length !== null && length <= this.#bufferedBytes;
      length = this.#nextLength()
    )
      messages.push(decodeFaces(this.#shift(length)));
    return messages;
  }

  /** Length of the next message; null until its header is complete. */
  #nextLength(): number | null {
    if (this.#bufferedBytes < HEADER_BYTES) return null;
    while (this.#chunks[0]!.length < HEADER_BYTES)
      this.#chunks.splice(0, 2, Buffer.concat(this.#chunks.slice(0, 2)));
    const [header] = this.#chunks;
    const jsonBytes = header!.readUInt32LE(4);
    const crops = header!.readUInt32LE(8);
    if (header!.readUInt32LE(0) !== MAGIC || jsonBytes > MAX_JSON_BYTES || crops > MAX_CROPS)
      throw new RangeError('the camera process sent a malformed frame');
    return HEADER_BYTES + jsonBytes + crops * CROP_BYTES;
  }

  #shift(bytes: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#bufferedBytes = all.length - bytes;
    return all.subarray(0, bytes);
  }
}

function decodeFaces(message: Buffer): FrameFaces {
  const pixelsStart = HEADER_BYTES + message.readUInt32LE(4);
  const faces = JSON.parse(message.toString('utf8', HEADER_BYTES, pixelsStart)) as FrameFaces;
  const crops = faces.crops.map((stamp, index): FaceCrop => {
    const start = pixelsStart + index * CROP_BYTES;
    // A copy: the crop outlives the frame, and a view would keep the whole chunk in memory.
    return { ...stamp, pixels: new Uint8Array(message.subarray(start, start + CROP_BYTES)) };
  });
  return { ...faces, crops };
}
