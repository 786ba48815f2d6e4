/** Beginnings of picture files that random bytes hardly contain, as latin1; also in base64. */
const SIGNATURES: Readonly<Record<string, RegExp>> = {
  JPEG: /\xff\xd8\xff(?:\xe0[\s\S]{2}JFIF|\xe1[\s\S]{2}Exif|\xdb[\s\S][C\x84\xc5])|\/9j\/(?:4AAQSkZJRg|2wB|2wC)/,
  PNG: /\x89PNG\r\n|iVBORw0KGgo/,
  WebP: /RIFF[\s\S]{4}WEBPVP8/,
  GIF: /GIF8[79]a/,
  'picture in a data URL': /data:image\/(?!svg)/,
};
const PIECE_BYTES = 64;
const PIECES = 12;

/** Kinds of pictures found in `bytes`: picture files, and pieces of the raw `crops`, plain or as hexadecimal or base64. */
export function picturesIn(bytes: Buffer, crops: readonly Buffer[]): string[] {
  const text = bytes.toString('latin1');
  const files = Object.keys(SIGNATURES).filter((kind) => SIGNATURES[kind]!.test(text));
  const isRaw = crops
    .flatMap(piecesOf)
    .some((piece) => spellings(piece).some((each) => bytes.includes(each)));
  return isRaw ? [...files, 'raw crop'] : files;
}

/** Pieces with many different values, spread over the crop. A flat background would be found in anything. */
function piecesOf(crop: Buffer): Buffer[] {
  const step = Math.floor(crop.length / PIECES);
  return Array.from({ length: PIECES }, (_, i) => crop.subarray(i * step, i * step + PIECE_BYTES)).filter(
    (piece) => new Set(piece).size > PIECE_BYTES / 4,
  );
}

/** In base64 the piece may begin at any of three positions. */
function spellings(piece: Buffer): (Buffer | string)[] {
  const base64 = [0, 1, 2].map((start) => piece.subarray(start, start + 60).toString('base64'));
  return [piece, piece.toString('hex'), piece.toString('hex').toUpperCase(), ...base64];
}
