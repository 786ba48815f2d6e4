import { Backoff } from '../../backoff.ts';
import { AustreamError } from '../../errors.ts';
import type { ConsumedMessage } from '../../kafka/group-reader.ts';
import type { OutgoingRecord } from '../../kafka/transaction.ts';
import { RepeatedWarning } from '../../log.ts';
import type { RecordEncoder } from '../../records/avro.ts';
import { deadLetter } from '../../records/dead-letter.ts';
import { PoisonError, type RecordDecoder } from '../../records/decode.ts';
import type { DeadLetterReason, FaceCropBatch } from '../../records/events.ts';
import { checkCropRecord, MAX_CROP_RECORD_BYTES } from '../crop-record-check.ts';
import type { PixelDecoder } from '../pixel-codec.ts';

const REGISTRY_RETRY = { firstMs: 100, maxMs: 5_000, jitter: 'equal' } as const;

export interface CropRecordDecoderOptions {
  readonly decoder: RecordDecoder;
  readonly pixels: PixelDecoder;
  readonly deadLetters: RecordEncoder;
  readonly deadLetterTopic: string;
  /** The consumer group that dead letters name. */
  readonly group: string;
}

/** Either crops, or a dead letter that says why the record has none. */
export type DecodedCropRecord =
  | { readonly batch: FaceCropBatch; readonly deadLetter: null }
  | { readonly batch: null; readonly deadLetter: OutgoingRecord };

/** Decodes crop records (Avro, then pixels). Records that cannot be decoded become dead letters. */
export class CropRecordDecoder {
  readonly #options: CropRecordDecoderOptions;

  constructor(options: CropRecordDecoderOptions) {
    this.#options = options;
  }

  /**
   * Waits for a schema registry that does not answer: the crops may be good, a dead letter would lose them. Resolves
   * with null when `isCurrent` turns false first. `rejected` receives REGISTRY_REJECTED of a
   * registry that has never accepted this worker.
   */
  async decode(
    message: ConsumedMessage,
    isCurrent: () => boolean,
    rejected: (error: AustreamError) => void,
  ): Promise<DecodedCropRecord | null> {
    const { partition, offset } = message;
    const backoff = new Backoff(REGISTRY_RETRY);
    const warning = new RepeatedWarning({ partition, offset });
    while (isCurrent()) {
      try {
        return { batch: await this.read(message), deadLetter: null };
      } catch (error) {
        if (error instanceof PoisonError || !(error instanceof AustreamError)) {
          const reason = error instanceof PoisonError ? error.reason : 'corrupt';
          return { batch: null, deadLetter: this.deadLetter(message, reason, (error as Error).message) };
        }
        if (!this.#options.decoder.mayRetry(error)) rejected(error);
        warning.warn(`crops cannot be decoded yet: ${error.message}`);
        await backoff.wait();
      }
    }
    return null;
  }

  /** One attempt. Throws PoisonError, or an error of the schema registry. */
  async read({ key, value }: Pick<ConsumedMessage, 'key' | 'value'>): Promise<FaceCropBatch> {
    if (value !== null && value.length > MAX_CROP_RECORD_BYTES)
      throw new PoisonError('corrupt', `${value.length} bytes are more than a crop record has`);
    const decoded = await this.#options.decoder.decode(value);
    if (decoded.record !== 'FaceCropBatch')
      throw new PoisonError('incompatible_schema', `is a ${decoded.record}, not a FaceCropBatch`);
    checkCropRecord(decoded.value, key?.toString() ?? '');
    return this.#options.pixels.decode(decoded.value);
  }

  /** Without the value: it may hold pictures, and the dead letter topic keeps records for longer than the crops topic. */
  deadLetter(message: ConsumedMessage, reason: DeadLetterReason, detail: string): OutgoingRecord {
    const { topic, partition, offset } = message;
    const { group, deadLetters, deadLetterTopic } = this.#options;
    const key = message.key === null || message.key === undefined ? null : Buffer.from(message.key);
    const letter = deadLetter({ group, topic, partition, offset, key, value: null, reason, detail });
    return { topic: deadLetterTopic, key: letter.key, value: deadLetters.encode(letter) };
  }
}
