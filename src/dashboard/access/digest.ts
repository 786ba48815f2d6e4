import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A new secret: 256 bits, safe in URLs and cookies. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256, hexadecimal. Secrets are kept as digests only; those are compared in constant time. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function isEqualDigest(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
}
