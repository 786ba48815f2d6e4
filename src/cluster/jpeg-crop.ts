import { CROP_BYTES, CROP_SIZE } from '../domain/face.ts';
import { PoisonError } from '../records/decode.ts';

/** A baseline JPEG of noise at quality 100 has about 1.2 times the bytes of its pixels. */
export const MAX_JPEG_BYTES = 2 * CROP_BYTES;

/** Markers of ITU-T T.81, table B.1. Each follows a byte 0xFF. */
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const SOF0 = 0xc0;
const DHT = 0xc4;
const DQT = 0xdb;
const DRI = 0xdd;
const APP0 = 0xe0;
const APP15 = 0xef;
const COM = 0xfe;
const COMPONENTS = 3;

/**
 * Throws PoisonError unless the bytes are a JPEG of the kind that ingest workers write: baseline, 8 bits, 112×112, three
 * components, one scan, and nothing behind it. Reads the markers only: whoever may write crops chooses these bytes, and
 * the size of a picture must be known before a decoder allocates it.
 */
export function checkJpegCrop(bytes: Buffer): void {
  if (bytes.length > MAX_JPEG_BYTES)
    throw corrupt(`has ${bytes.length} bytes, more than a crop of ${CROP_SIZE}×${CROP_SIZE} needs`);
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== SOI)
    throw corrupt(`begins with 0x${bytes.toString('hex', 0, 3)}, which is no JPEG`);
  const scan = checkHeader(bytes);
  checkScan(bytes, scan);
}

/** Checks the segments before the scan. Returns the offset of the scan's data. */
function checkHeader(bytes: Buffer): number {
  let hasFrame = false;
  for (let offset = 2; ; ) {
    // A segment: 0xFF, the marker, the length (2 bytes, which count themselves), the data.
    if (offset + 4 > bytes.length || bytes[offset] !== 0xff) throw corrupt('ends within its header');
    const marker = bytes[offset + 1]!;
    const length = bytes.readUInt16BE(offset + 2);
    const next = offset + 2 + length;
    if (length < 2 || next > bytes.length) throw corrupt('ends within its header');
    if (marker === SOS) {
      if (!hasFrame) throw corrupt('has no frame header before its scan');
      return next;
    }
    if (marker === SOF0) {
      if (hasFrame) throw corrupt('has two frame headers');
      checkFrame(bytes.subarray(offset + 4, next));
      hasFrame = true;
    } else if (!isTable(marker)) throw corrupt(`has the marker 0xff${marker.toString(16)}: not baseline`);
    offset = next;
  }
}

/** The frame header (T.81, B.2.2): precision (1 byte), lines (2), samples a line (2), components (1 and 3 each). */
function checkFrame(frame: Buffer): void {
  if (frame.length !== 6 + 3 * COMPONENTS) throw corrupt('does not have three components');
  const [precision, height, width, components] = [
    frame[0],
    frame.readUInt16BE(1),
    frame.readUInt16BE(3),
    frame[5],
  ];
  if (precision !== 8 || components !== COMPONENTS) throw corrupt('is not 8-bit with three components');
  if (width !== CROP_SIZE || height !== CROP_SIZE)
    throw corrupt(`is ${width}×${height}, not ${CROP_SIZE}×${CROP_SIZE}`);
}

/** A scan's data holds no marker but restarts, and the picture ends with it. */
function checkScan(bytes: Buffer, start: number): void {
  for (let at = bytes.indexOf(0xff, start); at >= 0; at = bytes.indexOf(0xff, at + 2)) {
    const marker = bytes[at + 1];
    const isData = marker === 0 || (marker !== undefined && marker >= 0xd0 && marker <= 0xd7);
    if (isData) continue;
    if (marker === EOI && at + 2 === bytes.length) return;
    throw corrupt('has more than one scan, or bytes behind its end');
  }
  throw corrupt('ends within its scan');
}

function isTable(marker: number): boolean {
  return [DHT, DQT, DRI, COM].includes(marker) || (marker >= APP0 && marker <= APP15);
}

function corrupt(what: string): PoisonError {
  return new PoisonError('corrupt', `a crop marked JPEG ${what}`);
}
