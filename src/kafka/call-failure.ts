import { DELIVERY_ERRORS, type DeliveryFailure, deliveryFailure } from './delivery-policy.ts';

/** Classifies the error of a call or a consumer, whose text says more than the error's own. */
export function callFailure(message: string): DeliveryFailure {
  const lower = message.toLowerCase();
  const known = Object.keys(DELIVERY_ERRORS).find((text) => lower.includes(text));
  const [, origin = 'local', own = message] =
    /\b(broker|local): (.*?)(?: \(after \d+ ms\))?$/i.exec(message) ?? [];
  const failure = deliveryFailure(known ?? own, origin.toLowerCase());
  return { ...failure, detail: message };
}
