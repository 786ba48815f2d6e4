import { CROP_BYTES, type FaceCrop, type FrameFaces } from '../../domain/face.ts';

/**
 * Crops from a camera child to its host, over a pipe of their own. One message a frame:
 *
 *   "AUF1" · u32 length of the JSON · u32 number of crops · JSON (the FrameFaces without pixels) · crops
 *
 * Integers are little-endian; each crop is `CROP_BYTES` long.
 */
const MAGIC = 0x3146_5541;
const HEADER_BYTES = 12;
/** A frame with the most faces that the options allow stays far below. */
const LONGEST_JSON = 1 << 20;
const MOST_CROPS = 1 << 10;

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

/** Puts messages together from the chunks in which a pipe delivers them. Throws on what is no message. */
export class FacesDecoder {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** Takes the next chunk; returns the messages that it completes. */
  push(chunk: Buffer): FrameFaces[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const complete: FrameFaces[] = [];
    for (
      let length = this.#nextLength();
      length !== null && length <= this.#buffered;
      length = this.#nextLength()
    )
      complete.push(decodeFaces(this.#take(length)));
    return complete;
  }

  #nextLength(): number | null {
    if (this.#buffered < HEADER_BYTES) return null;
    while (this.#chunks[0]!.length < HEADER_BYTES)
      this.#chunks.splice(0, 2, Buffer.concat(this.#chunks.slice(0, 2)));
    const [header] = this.#chunks;
    const json = header!.readUInt32LE(4);
    const crops = header!.readUInt32LE(8);
    if (header!.readUInt32LE(0) !== MAGIC || json > LONGEST_JSON || crops > MOST_CROPS)
      throw new RangeError('the camera process sent something that is no frame');
    return HEADER_BYTES + json + crops * CROP_BYTES;
  }

  #take(length: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    this.#buffered = all.length - length;
    return all.subarray(0, length);
  }
}

function decodeFaces(message: Buffer): FrameFaces {
  const json = message.readUInt32LE(4);
  const pixels = HEADER_BYTES + json;
  const faces = JSON.parse(message.toString('utf8', HEADER_BYTES, pixels)) as FrameFaces;
  const crops = faces.crops.map(
    (stamp, index): FaceCrop => ({
      ...stamp,
      // A copy: the crop outlives the frame, and a view would keep the whole chunk alive.
      pixels: new Uint8Array(
        message.subarray(pixels + index * CROP_BYTES, pixels + (index + 1) * CROP_BYTES),
      ),
    }),
  );
  return { ...faces, crops };
}
