import type { LibrdKafkaError } from 'node-rdkafka';

/** Calls a node-rdkafka method that takes a callback. */
export function promisified<T>(
  method: (done: (error: LibrdKafkaError | null, result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    method((error, result) => (error ? reject(error) : resolve(result)));
  });
}
