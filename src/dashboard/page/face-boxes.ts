import { element, fitCanvas } from './dom.ts';
import type { Face } from './face-store.ts';
import { palette } from './theme.ts';

const CROP = 112;
/** Pictures of a face a second, where they may be shown. */
const PICTURE_MS = 250;

/** Where the faces are in a camera's picture: boxes and head outlines; pictures only where the server gives them. */
export class Scene {
  readonly root = element('canvas', 'scene');
  readonly #pictures = new Map<string, { image: HTMLCanvasElement; at: number; ready: boolean }>();
  readonly #showVideo: boolean;

  constructor(cameraId: string, showVideo: boolean) {
    this.#showVideo = showVideo;
    this.root.setAttribute('role', 'img');
    this.root.setAttribute('aria-label', `Where faces are in the picture of ${cameraId}`);
  }

  /** `faces`: null where the moment shown is not the present. */
  draw(width: number, height: number, faces: readonly Face[] | null): void {
    this.root.style.aspectRatio = `${width} / ${height}`;
    if (!fitCanvas(this.root)) return;
    const ctx = this.root.getContext('2d')!;
    const scale = this.root.width / width;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (!faces) {
      ctx.font = `${12 / (this.root.clientWidth / width)}px system-ui, sans-serif`;
      ctx.fillStyle = palette.muted;
      ctx.textAlign = 'center';
      ctx.fillText('where faces are: live only', width / 2, height / 2);
      return;
    }
    ctx.textAlign = 'start';
    const keys = new Set(faces.map(({ newest }) => newest.key));
    for (const key of this.#pictures.keys()) if (!keys.has(key)) this.#pictures.delete(key);
    for (const face of faces) {
      const picture = this.#showVideo ? this.#picture(face.newest.key) : null;
      drawFace(ctx, face, 1 / scale, picture);
    }
  }

  /** The face's newest picture; asks for the next one while it is at it. */
  #picture(key: string): HTMLCanvasElement | null {
    let picture = this.#pictures.get(key);
    if (!picture) {
      const image = element('canvas');
      image.width = CROP;
      image.height = CROP;
      picture = { image, at: 0, ready: false };
      this.#pictures.set(key, picture);
    }
    const now = performance.now();
    if (now - picture.at > PICTURE_MS) {
      picture.at = now;
      void this.#fetch(key, picture);
    }
    return picture.ready ? picture.image : null;
  }

  async #fetch(key: string, picture: { image: HTMLCanvasElement; ready: boolean }): Promise<void> {
    const response = await fetch(`/pictures/${encodeURIComponent(key)}`).catch(() => null);
    if (!response?.ok) return;
    const rgb = new Uint8Array(await response.arrayBuffer());
    const rgba = new ImageData(CROP, CROP);
    for (let i = 0; i < CROP * CROP; i++) {
      rgba.data.set(rgb.subarray(i * 3, i * 3 + 3), i * 4);
      rgba.data[i * 4 + 3] = 255;
    }
    picture.image.getContext('2d')!.putImageData(rgba, 0, 0);
    picture.ready = true;
  }
}

/** `px`: one screen pixel in source pixels. */
function drawFace(
  ctx: CanvasRenderingContext2D,
  { newest }: Face,
  px: number,
  picture: HTMLCanvasElement | null,
) {
  const [x, y, w, h] = newest.box;
  const [yaw, pitch, roll] = newest.pose;
  const dpr = devicePixelRatio;
  const color = newest.unreliable ? palette.muted : palette.good;
  if (picture) ctx.drawImage(picture, x, y, w, h);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.5 * dpr * px;
  ctx.strokeRect(x, y, w, h);
  if (!picture) {
    ctx.save();
    ctx.translate(x + w / 2, y + h / 2);
    ctx.rotate((roll * Math.PI) / 180);
    ctx.globalAlpha = 0.8;
    ctx.beginPath();
    ctx.ellipse(0, 0, w * 0.36, h * 0.45, 0, 0, 2 * Math.PI);
    ctx.stroke();
    // The midline and the eye line bend with the pose, as on a ball.
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
