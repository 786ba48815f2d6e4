import { CROP_SIZE } from '../domain/face.ts';
import { PoisonError } from '../records/decode.ts';
import type { Crop, FaceCropBatch } from '../records/events.ts';
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

/** What a crop's decoder accepts. ICC profiles are ignored: no ingest worker writes one. */
const DECODING = {
  limitInputPixels: CROP_SIZE * CROP_SIZE,
  limitInputChannels: 3,
  failOn: 'warning',
  sequentialRead: true,
  ignoreIcc: true,
} as const;

/** Decodes the pixels of crop records that `checkCropRecord` accepts to RGB8, one crop at a time to bound memory. Throws PoisonError. */
export class PixelDecoder {
  async decode(batch: FaceCropBatch): Promise<FaceCropBatch> {
    if (batch.encoding !== 'JPEG') return batch;
    const image = await jpegDecoder();
    const crops: Crop[] = [];
    for (const crop of batch.crops) {
      const pixels = await image(crop.pixels, DECODING)
        .toColourspace('srgb')
        .raw()
        .toBuffer()
        .catch((cause: Error) => {
          throw new PoisonError('corrupt', `a crop marked JPEG cannot be decoded: ${cause.message}`, cause);
        });
      crops.push({ ...crop, pixels });
    }
    return { ...batch, encoding: 'RGB8', crops };
  }
}

/** libvips with JPEG as its only input format: every other loader (SVG, PDF, TIFF …) is blocked in this process. */
async function jpegDecoder() {
  const image = await sharp();
  image.block({ operation: ['VipsForeignLoad'] });
  image.unblock({ operation: ['VipsForeignLoadJpegBuffer'] });
  return image;
}
