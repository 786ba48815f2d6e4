import { X509Certificate } from 'node:crypto';
import { readBoundedFile } from '../bounded-file.ts';
import { pemCertificates } from './credentials.ts';
import type { KafkaOptions } from './options.ts';

const MAX_FILE_BYTES = 4 << 20;

/** The certificate of a file that ends first. */
export interface Certificate {
  /** E.g. `kafka.tls.certificate`. */
  readonly setting: string;
  readonly file: string;
  readonly subject: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
}

/** The certificate files of a config that can be read. A file that cannot be read is another check's finding. */
export function certificatesOf({ tls, registry }: KafkaOptions): Certificate[] {
  const files: [setting: string, file: string | undefined][] = [
    ...(tls?.enabled
      ? ([
          ['kafka.tls.ca', tls.ca],
          ['kafka.tls.certificate', tls.certificate],
        ] as [string, string | undefined][])
      : []),
    ['kafka.registry.ca', registry?.ca],
  ];
  return files.flatMap(([setting, file]) => {
    const first = file === undefined ? null : firstToExpire(file);
    return first ? [{ setting, file: file!, ...first }] : [];
  });
}

/**
 * A chain is valid until its first certificate ends. While an authority is renewed, a file holds its old and its new
 * certificate with the same subject: the newer one counts.
 */
function firstToExpire(file: string): Pick<Certificate, 'subject' | 'expiresAt'> | null {
  const bySubject = new Map<string, number>();
  try {
    for (const pem of pemCertificates(readBoundedFile(file, MAX_FILE_BYTES))) {
      const { subject, validTo } = new X509Certificate(pem);
      const name = subject.replaceAll('\n', ', ');
      bySubject.set(name, Math.max(bySubject.get(name) ?? 0, Date.parse(validTo) / 1000));
    }
  } catch {
    return null;
  }
  const [first] = [...bySubject].sort(([, a], [, b]) => a - b);
  return first ? { subject: first[0], expiresAt: first[1] } : null;
}

const WARN_SECONDS = 14 * 86_400;
export const EXPIRY_FIX = 'put the renewed certificate into the same file; it is then used without a restart';

/** The end of a warning that begins with the setting, from two weeks before the end on. `now`: seconds since 1970. */
export function expiryWarning({ file, subject, expiresAt }: Certificate, now: number): string | null {
  const left = expiresAt - now;
  if (left > WARN_SECONDS) return null;
  const at = new Date(expiresAt * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const days = left / 86_400;
  const when =
    left <= 0
      ? `expired at ${at} UTC`
      : `expires at ${at} UTC, in ${days < 2 ? `${Math.round(days * 24)} hours` : `${Math.floor(days)} days`}`;
  return `is ${file}, whose certificate ${subject} ${when}`;
}
