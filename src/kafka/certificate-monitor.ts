import { wallMs } from '../clock.ts';
import { diagnostics } from '../diagnostics.ts';
import { log } from '../log.ts';
import { certificatesOf, EXPIRY_FIX, expiryWarning } from './certificates.ts';
import type { KafkaOptions } from './options.ts';

const CHECK_MS = 60_000;
const WARN_INTERVAL_MS = 24 * 3_600_000;

/** Reports when the certificates of a config expire: in metrics, and in the log from 14 days before on, once a day. */
export class CertificateMonitor {
  readonly #options: KafkaOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  /** When each warning was logged last, by setting and expiry: a renewed certificate warns anew. */
  readonly #warnedAt = new Map<string, number>();

  constructor(options: KafkaOptions) {
    this.#options = options;
    if (options.tls?.enabled || options.registry?.ca !== undefined) {
      this.check();
      this.#timer = setInterval(() => this.check(), CHECK_MS).unref();
    }
  }

  check(now = wallMs()): void {
    const certificates = certificatesOf(this.#options);
    diagnostics.certificates.publish({ certificates });
    for (const certificate of certificates) {
      const warning = expiryWarning(certificate, now / 1_000);
      const key = `${certificate.setting} ${certificate.expiresAt}`;
      if (warning === null || now - (this.#warnedAt.get(key) ?? -Infinity) < WARN_INTERVAL_MS) continue;
      this.#warnedAt.set(key, now);
      log.warn({ setting: certificate.setting }, `${certificate.setting} ${warning} (${EXPIRY_FIX})`);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
