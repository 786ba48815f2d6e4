import { AustreamError } from '../errors.ts';
import { DELIVERY_ERRORS, type DeliveryFailure, deliveryFailure } from './delivery-policy.ts';

/** librdkafka's calls say it in several ways. */
const TIME_OUT = /timed out|within the api timeout/i;

/** Classifies the error of a call or a consumer, whose text says more than the error's own. */
export function callFailure(error: Pick<Error, 'message'>): DeliveryFailure {
  const { message } = error;
  const lower = message.toLowerCase();
  const known =
    Object.keys(DELIVERY_ERRORS).find((text) => lower.includes(text)) ??
    (TIME_OUT.test(message) ? 'timed out' : undefined);
  const [, origin = 'local', own = message] =
    /\b(broker|local): (.*?)(?: \(after \d+ ms\))?$/i.exec(message) ?? [];
  const failure = deliveryFailure(known ?? own, origin.toLowerCase());
  const code = known === undefined && error instanceof AustreamError ? error.code.toLowerCase() : null;
  return { ...failure, ...(code !== null && { cause: code }), detail: message };
}
