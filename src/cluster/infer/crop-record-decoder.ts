import type rdkafka from 'node-rdkafka';
import { Backoff } from '../../backoff.ts';
import { AustreamError } from '../../errors.ts';
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
  readonly letters: RecordEncoder;
  /** Where dead letters go. */
  readonly deadletter: string;
  /** The consumer group that letters name. */
  readonly group: string;
}

/** What became of a record: crops, or a letter about why there are none. */
export type DecodedCropRecord =
  | { readonly batch: FaceCropBatch; readonly letter: null }
  | { readonly batch: null; readonly letter: OutgoingRecord };

/** Decodes records of crops, and writes dead letters of those that nobody can read. */
export class CropRecordDecoder {
  readonly #options: CropRecordDecoderOptions;

  constructor(options: CropRecordDecoderOptions) {
    this.#options = options;
  }

  /**
   * Null where it was no longer `wanted` before anybody could tell: what needs a schema of a registry that does not
   * answer waits for it. `refused` hears of a registry that refuses for good.
   */
  async decode(
    message: rdkafka.Message,
    wanted: () => boolean,
    refused: (error: AustreamError) => void,
  ): Promise<DecodedCropRecord | null> {
    const { partition, offset } = message;
    const backoff = new Backoff(REGISTRY_RETRY);
    const warning = new RepeatedWarning({ partition, offset });
    while (wanted()) {
      try {
        return { batch: await this.#decode(message), letter: null };
      } catch (error) {
        if (!(error instanceof AustreamError)) {
          const reason = error instanceof PoisonError ? error.reason : 'corrupt';
          return { batch: null, letter: this.#deadLetter(message, reason, (error as Error).message) };
        }
        if (!error.canRetry) refused(error);
        // The crops are good: to pass them over would lose them.
        warning.warn(`crops wait: ${error.message}`);
        await backoff.wait();
      }
    }
    return null;
  }

  async #decode({ value }: rdkafka.Message): Promise<FaceCropBatch> {
    const decoded = await this.#options.decoder.decode(value);
    if (decoded.record !== 'FaceCropBatch')
      throw new PoisonError('incompatible_schema', `is a ${decoded.record}, not a FaceCropBatch`);
    return this.#options.pixels.decode(decoded.value);
  }

  #deadLetter(message: rdkafka.Message, reason: DeadLetterReason, detail: string): OutgoingRecord {
    const { topic, partition, offset } = message;
    const { group, letters, deadletter } = this.#options;
    const key = message.key === null || message.key === undefined ? null : Buffer.from(message.key);
    const about = { at: Date.now() * 1000, group, topic, partition, offset, key };
    // Without its value: pictures stay where retention is short.
    const value = letters.encode({ ...about, value: null, reason, detail });
    return { topic: deadletter, key, value };
  }
}
