import { fromCropRecord } from '../../../src/cluster/crop-record.ts';
import { CropRecordDecoder } from '../../../src/cluster/infer/crop-record-decoder.ts';
import { PixelDecoder } from '../../../src/cluster/pixel-codec.ts';
import { CROP_BYTES } from '../../../src/domain/face.ts';
import { faceKey } from '../../../src/domain/track-key.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import { cropMessage, jpegCrops, rawCrops } from '../../cluster/crop-records.ts';

const decoder = new RecordDecoder();
const records = new CropRecordDecoder({
  decoder,
  pixels: new PixelDecoder(),
  deadLetters: new RecordEncoder('DeadLetter'),
  deadLetterTopic: 'au.deadletter',
  group: 'fuzz',
});

/** A value of the crops topic. Anything but a PoisonError is a finding, and so is a crop of another size. */
export const cropRecord = {
  name: 'crop record',
  seeds: [
    cropMessage(await jpegCrops(1)).value,
    cropMessage(await jpegCrops(3)).value,
    cropMessage(rawCrops(1)).value,
    cropMessage({ ...rawCrops(0), trackId: 0 }).value,
    cropMessage({ ...rawCrops(0), ended: true, epochEnded: true }).value,
  ],
  async run(input: Buffer): Promise<void> {
    const crops = fromCropRecord(await records.read({ key: matchingKey(input), value: input }));
    for (const { pixels } of crops)
      if (pixels.length !== CROP_BYTES) throw new TypeError(`a crop of ${pixels.length} bytes`);
  },
};

/** The key that the record should have, so that mutations of its content are reached. */
function matchingKey(input: Buffer): Buffer | null {
  try {
    const decoded = decoder.decode(input);
    return 'record' in decoded && decoded.record === 'FaceCropBatch'
      ? Buffer.from(faceKey(decoded.value))
      : null;
  } catch {
    return null;
  }
}
