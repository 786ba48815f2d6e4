import { CROP_SIZE } from '../domain/face.ts';
import type { FaceCropBatch } from '../records/events.ts';
import type { ClusterOptions } from './options.ts';

/** Loaded where JPEG is used only. */
async function sharp() {
  return (await import('sharp')).default;
}

const RAW = { raw: { width: CROP_SIZE, height: CROP_SIZE, channels: 3 } } as const;

/** Writes the pixels of records as the config says. */
export class PixelEncoder {
  readonly #options: Pick<ClusterOptions['crops'], 'encoding' | 'quality'>;

  constructor(options: Pick<ClusterOptions['crops'], 'encoding' | 'quality'>) {
    this.#options = options;
  }

  /** Whether it has anything to do. */
  get compresses(): boolean {
    return this.#options.encoding !== 'raw';
  }

  /** `batch` is in RGB8. */
  async encode(batch: FaceCropBatch): Promise<FaceCropBatch> {
    if (!this.compresses) return batch;
    const image = await sharp();
    const settings = { quality: this.#options.quality, chromaSubsampling: '4:4:4' };
    const crops = batch.crops.map(async (crop) => ({
      ...crop,
      pixels: await image(crop.pixels, RAW).jpeg(settings).toBuffer(),
    }));
    return { ...batch, encoding: 'JPEG', crops: await Promise.all(crops) };
  }
}

/** Reads pixels in any encoding that this version knows; others are left as they are. */
export class PixelDecoder {
  async decode(batch: FaceCropBatch): Promise<FaceCropBatch> {
    if (batch.encoding !== 'JPEG') return batch;
    const image = await sharp();
    const crops = batch.crops.map(async (crop) => ({
      ...crop,
      pixels: await image(crop.pixels).toColourspace('srgb').removeAlpha().raw().toBuffer(),
    }));
    return { ...batch, encoding: 'RGB8', crops: await Promise.all(crops) };
  }
}
