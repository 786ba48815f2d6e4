import { promisify } from 'node:util';
import { gzip, unzip } from 'node:zlib';
import kafkajs from 'kafkajs';
import { AustreamError } from '../errors.ts';

/**
 * Records of one batch, decompressed. Brokers accept a batch of 1 MB by default, which gzip can make of 1 GB. Producers
 * batch 1 MB before they compress.
 */
const MAX_BYTES = 64 * 1024 * 1024;

const compress = promisify(gzip);
const decompress = promisify(unzip);

/**
 * Replaces kafkajs's gzip codec, which decompresses whatever a batch names (CWE-409), for this process: a larger batch
 * throws MESSAGE_UNREADABLE.
 */
export function boundGzip(): void {
  // kafkajs is CommonJS: Node finds no named exports of these.
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: (encoder: { readonly buffer: Buffer }) => compress(encoder.buffer),
    decompress: (batch: Buffer) =>
      decompress(batch, { maxOutputLength: MAX_BYTES }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ERR_BUFFER_TOO_LARGE') throw cause;
        const error = new AustreamError(
          'MESSAGE_UNREADABLE',
          `a batch of ${batch.length} bytes has more than ${MAX_BYTES} when it is decompressed`,
          { fix: 'find out who wrote it; move the group beyond it: kafka-consumer-groups --reset-offsets' },
        );
        // kafkajs retries what does not say so. It would keep `cause`, if there were one, instead of this error.
        throw Object.assign(error, { retriable: false });
      }),
  });
}
