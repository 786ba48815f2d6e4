import sharp from 'sharp';
import type { CameraAreas } from '../camera/areas.ts';
import type { Polygon } from '../domain/polygon.ts';
import type { Picture } from './snapshot.ts';

const MASK = 'fill="#c62828" fill-opacity="0.5" stroke="#c62828" stroke-width="2"';
const ZONE = 'fill="none" stroke="#00c853" stroke-width="3"';
const LABEL =
  'text-anchor="middle" font-family="DejaVu Sans,Arial,sans-serif" font-size="16" fill="#fff" stroke="#000" stroke-width="3" paint-order="stroke"';

/** The picture with masks filled red and zones outlined green with their ids, as JPEG or PNG. */
export async function drawAreas(
  { width, height, pixels }: Picture,
  { masks, zones }: CameraAreas,
  format: 'jpeg' | 'png',
): Promise<Uint8Array> {
  const polygon = (corners: Polygon, style: string) =>
    `<polygon points="${corners.map(([x, y]) => `${x * width},${y * height}`).join(' ')}" ${style}/>`;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    ...masks.map((mask) => polygon(mask, MASK)),
    ...zones.map((zone) => polygon(zone.polygon, ZONE)),
    // Ids have only letters, digits, dots, dashes and underscores: nothing to escape.
    ...zones.map(({ id, polygon: corners }) => {
      const mean = (axis: 0 | 1) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
      return `<text x="${mean(0) * width}" y="${mean(1) * height}" ${LABEL}>${id}</text>`;
    }),
    '</svg>',
  ].join('');
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .composite([{ input: Buffer.from(svg) }])
    .toFormat(format)
    .toBuffer();
}
