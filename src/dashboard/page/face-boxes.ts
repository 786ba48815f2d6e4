import type { CameraAreas } from '../../camera/areas.ts';
import { monotonicMs } from '../../clock.ts';
import type { Polygon } from '../../domain/polygon.ts';
import { element, fitCanvas } from './dom.ts';
import type { Face } from './face-store.ts';
import { request } from './session.ts';
import { palette } from './theme.ts';

const CROP_SIZE = 112;
/** Interval between two crops of the same face, if pictures may be shown. */
const CROP_INTERVAL_MS = 250;

/** The newest crop of a face that was fetched. */
interface Crop {
  readonly image: HTMLCanvasElement;
  fetchedAt: number;
  fetching: boolean;
  ready: boolean;
}

/** The boxes and head outlines of a camera's faces in the frame; with their crops only if the server allows it. */
export class FaceBoxes {
  readonly root = element('canvas', 'face-boxes');
  readonly #crops = new Map<string, Crop>();
  readonly #showVideo: boolean;
  readonly #cameraId: string;
  #areas: CameraAreas | null = null;

  constructor(cameraId: string, showVideo: boolean) {
    this.#showVideo = showVideo;
    this.#cameraId = cameraId;
    this.root.setAttribute('role', 'img');
    this.root.setAttribute('aria-label', `Face boxes in the frame of ${cameraId}`);
    void this.loadAreas();
  }

  /** Fetches the camera's masks and zones. */
  async loadAreas(): Promise<void> {
    const response = await request(`/cameras/${encodeURIComponent(this.#cameraId)}/areas`).catch(() => null);
    if (!response?.ok) return;
    const areas = (await response.json()) as CameraAreas;
    this.#areas = areas;
    const masks = areas.masks.length > 0 ? `; masks: ${areas.masks.length}` : '';
    const zones = areas.zones.length > 0 ? `; zones: ${areas.zones.map(({ id }) => id).join(', ')}` : '';
    this.root.setAttribute('aria-label', `Face boxes in the frame of ${this.#cameraId}${masks}${zones}`);
  }

  /** `width`, `height`: of the camera's frame; `faces`: null while nothing live is shown. */
  draw(width: number, height: number, faces: readonly Face[] | null): void {
    this.root.style.aspectRatio = `${width} / ${height}`;
    if (!fitCanvas(this.root)) return;
    const ctx = this.root.getContext('2d')!;
    const scale = this.root.width / width;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (this.#areas) drawAreas(ctx, this.#areas, width, height, devicePixelRatio / scale);
    if (!faces) {
      this.#crops.clear();
      ctx.font = `${12 / (this.root.clientWidth / width)}px system-ui, sans-serif`;
      ctx.fillStyle = palette.muted;
      ctx.textAlign = 'center';
      ctx.fillText('face boxes: live only', width / 2, height / 2);
      return;
    }
    ctx.textAlign = 'start';
    const keys = new Set(faces.map(({ newest }) => newest.key));
    for (const key of this.#crops.keys()) if (!keys.has(key)) this.#crops.delete(key);
    for (const face of faces) {
      const crop = this.#showVideo ? this.#crop(face.newest.key) : null;
      drawFace(ctx, face, 1 / scale, crop);
    }
  }

  /** The newest crop fetched of a face, or null; fetches the next one in the background. */
  #crop(key: string): HTMLCanvasElement | null {
    let crop = this.#crops.get(key);
    if (!crop) {
      const image = element('canvas');
      image.width = CROP_SIZE;
      image.height = CROP_SIZE;
      crop = { image, fetchedAt: 0, fetching: false, ready: false };
      this.#crops.set(key, crop);
    }
    const now = monotonicMs();
    if (!crop.fetching && now - crop.fetchedAt > CROP_INTERVAL_MS) {
      crop.fetchedAt = now;
      crop.fetching = true;
      void this.#fetch(key, crop)
        .catch(() => {})
        .finally(() => {
          crop.fetching = false;
        });
    }
    return crop.ready ? crop.image : null;
  }

  async #fetch(key: string, crop: Crop): Promise<void> {
    const response = await request(`/pictures/${encodeURIComponent(key)}`);
    if (!response.ok) return;
    const rgb = new Uint8Array(await response.arrayBuffer());
    const rgba = new ImageData(CROP_SIZE, CROP_SIZE);
    for (let i = 0; i < CROP_SIZE * CROP_SIZE; i++) {
      rgba.data.set(rgb.subarray(i * 3, i * 3 + 3), i * 4);
      rgba.data[i * 4 + 3] = 255;
    }
    crop.image.getContext('2d')!.putImageData(rgba, 0, 0);
    crop.ready = true;
  }
}

/** Masks filled, zones outlined with their names. `px`: size of one pixel of the page in source pixels. */
function drawAreas(
  ctx: CanvasRenderingContext2D,
  { masks, zones }: CameraAreas,
  width: number,
  height: number,
  px: number,
): void {
  const trace = (polygon: Polygon) => {
    ctx.beginPath();
    for (const [x, y] of polygon) ctx.lineTo(x * width, y * height);
    ctx.closePath();
  };
  ctx.save();
  ctx.fillStyle = palette.muted;
  ctx.strokeStyle = palette.eye;
  ctx.lineWidth = 1.5 * px;
  for (const mask of masks) {
    trace(mask);
    ctx.globalAlpha = 0.45;
    ctx.fill('evenodd');
  }
  ctx.globalAlpha = 1;
  ctx.font = `${12 * px}px system-ui, sans-serif`;
  ctx.fillStyle = palette.eye;
  for (const { id, polygon } of zones) {
    trace(polygon);
    ctx.stroke();
    const [x, y] = polygon.reduce((top, corner) => (corner[1] < top[1] ? corner : top));
    ctx.fillText(id, x * width + 4 * px, y * height + 14 * px);
  }
  ctx.restore();
}

/** `px`: size of one canvas pixel in source pixels. */
function drawFace(
  ctx: CanvasRenderingContext2D,
  { newest }: Face,
  px: number,
  crop: HTMLCanvasElement | null,
) {
  const [x, y, w, h] = newest.box;
  const [yaw, pitch, roll] = newest.pose;
  const dpr = devicePixelRatio;
  const color = newest.unreliable ? palette.muted : palette.good;
  if (crop) ctx.drawImage(crop, x, y, w, h);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.5 * dpr * px;
  ctx.strokeRect(x, y, w, h);
  if (!crop) {
    ctx.save();
    ctx.translate(x + w / 2, y + h / 2);
    ctx.rotate((roll * Math.PI) / 180);
    ctx.globalAlpha = 0.8;
    ctx.beginPath();
    ctx.ellipse(0, 0, w * 0.36, h * 0.45, 0, 0, 2 * Math.PI);
    ctx.stroke();
    // Midline and eye line bend with yaw and pitch, as on a sphere.
    const turn = Math.sin((yaw * Math.PI) / 180) * w * 0.36;
    const nod = -Math.sin((pitch * Math.PI) / 180) * h * 0.45;
    ctx.beginPath();
    ctx.ellipse(0, 0, Math.abs(turn), h * 0.45, 0, -Math.PI / 2, Math.PI / 2, turn < 0);
    ctx.moveTo(-w * 0.36, -h * 0.06);
    ctx.quadraticCurveTo(0, -h * 0.06 + 2 * nod, w * 0.36, -h * 0.06);
    ctx.globalAlpha = 0.35;
    ctx.stroke();
    ctx.restore();
  }
  const size = 13 * dpr * px;
  ctx.font = `600 ${size}px system-ui, sans-serif`;
  ctx.fillStyle = color;
  ctx.fillText(String(newest.trackId), x + 4 * dpr * px, y - 5 * dpr * px);
}
