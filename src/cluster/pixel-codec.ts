import { CROP_SIZE } from '../domain/face.ts';
import type { FaceCropBatch } from '../records/events.ts';
import type { ClusterOptions } from './options.ts';

/** Loaded on first use: only JPEG needs it. */
async function sharp() {
  return (await import('sharp')).default;
}

/** Layout of a crop's pixels: (112, 112, 3), RGB8. */
const RAW = { raw: { width: CROP_SIZE, height: CROP_SIZE, channels: 3 } } as const;

/** Encodes the pixels of crop records as `cluster.crops` says. */
export class PixelEncoder {
  readonly #options: Pick<ClusterOptions['crops'], 'encoding' | 'quality'>;

  constructor(options: Pick<ClusterOptions['crops'], 'encoding' | 'quality'>) {
    this.#options = options;
  }

  /** Whether `encode` takes CPU time. */
  get compresses(): boolean {
    return this.#options.encoding !== 'raw';
  }

  /** `batch` must be RGB8. */
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

/** Decodes the pixels of crop records to RGB8. Records with an unknown encoding are returned unchanged. */
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
