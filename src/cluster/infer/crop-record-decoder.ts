import { Backoff } from '../../backoff.ts';
import { AustreamError } from '../../errors.ts';
import type { ConsumedMessage } from '../../kafka/group-reader.ts';
import type { OutgoingRecord } from '../../kafka/transaction.ts';
import { RepeatedWarning } from '../../log.ts';
import type { RecordEncoder } from '../../records/avro.ts';
import { PoisonError, type RecordDecoder } from '../../records/decode.ts';
import type { DeadLetterReason, FaceCropBatch } from '../../records/events.ts';
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
   * with null when `isCurrent` turns false first. `rejected` receives errors that a retry does not cure, such as
   * REGISTRY_REJECTED.
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
        return { batch: await this.#decode(message), deadLetter: null };
      } catch (error) {
        if (error instanceof PoisonError || !(error instanceof AustreamError)) {
          const reason = error instanceof PoisonError ? error.reason : 'corrupt';
          return { batch: null, deadLetter: this.#deadLetter(message, reason, (error as Error).message) };
        }
        if (!error.canRetry) rejected(error);
        warning.warn(`crops cannot be decoded yet: ${error.message}`);
        await backoff.wait();
      }
    }
    return null;
  }

  async #decode({ value }: ConsumedMessage): Promise<FaceCropBatch> {
    const decoded = await this.#options.decoder.decode(value);
    if (decoded.record !== 'FaceCropBatch')
      throw new PoisonError('incompatible_schema', `is a ${decoded.record}, not a FaceCropBatch`);
    return this.#options.pixels.decode(decoded.value);
  }

  #deadLetter(message: ConsumedMessage, reason: DeadLetterReason, detail: string): OutgoingRecord {
    const { topic, partition, offset } = message;
    const { group, deadLetters, deadLetterTopic } = this.#options;
    const key = message.key === null || message.key === undefined ? null : Buffer.from(message.key);
    const source = { at: Date.now() * 1000, group, topic, partition, offset, key };
    // Without the value: it may hold pictures, and the dead letter topic keeps records for longer than the crops topic.
    const value = deadLetters.encode({ ...source, value: null, reason, detail });
    return { topic: deadLetterTopic, key, value };
  }
}
