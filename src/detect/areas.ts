import type { CameraAreas } from '../camera/areas.ts';
import type { Box } from '../domain/face.ts';
import { containsPoint, containsRectangle } from '../domain/polygon.ts';
import type { Region } from './detections.ts';
import { boxCentre } from './geometry.ts';

/** A camera's masks and zones over frames of one size. The centre of a face's box decides. */
export class FrameAreas {
  readonly #areas: CameraAreas;
  readonly #width: number;
  readonly #height: number;

  constructor(areas: CameraAreas, width: number, height: number) {
    this.#areas = areas;
    this.#width = width;
    this.#height = height;
  }

  isMasked(face: Box): boolean {
    const [x, y] = this.#centre(face);
    return this.#areas.masks.some((mask) => containsPoint(mask, x, y));
  }

  /** Ids of the zones that the face is in, in the order of the config. */
  zonesOf(face: Box): string[] {
    const [x, y] = this.#centre(face);
    return this.#areas.zones.filter(({ polygon }) => containsPoint(polygon, x, y)).map(({ id }) => id);
  }

  /** Whether one mask covers the whole region, as far as it lies in the frame: no face there may be cropped. */
  isRegionMasked({ width, height, toFrame }: Region): boolean {
    const rectangle = {
      left: fraction(toFrame.tx, this.#width),
      top: fraction(toFrame.ty, this.#height),
      right: fraction(toFrame.tx + width * toFrame.a, this.#width),
      bottom: fraction(toFrame.ty + height * toFrame.a, this.#height),
    };
    return this.#areas.masks.some((mask) => containsRectangle(mask, rectangle));
  }

  /** A box may extend beyond the frame: a centre outside counts at the frame's edge, which a mask can cover. */
  #centre(face: Box): [number, number] {
    const { x, y } = boxCentre(face);
    return [fraction(x, this.#width), fraction(y, this.#height)];
  }
}

function fraction(pixels: number, size: number): number {
  return Math.max(0, Math.min(1, pixels / size));
}
