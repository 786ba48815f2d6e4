import { log } from '../log.ts';
import { type Credentials, credentialsDigest, readConsistent, readCredentials } from './credentials.ts';
import type { KafkaOptions } from './options.ts';

/** Reading three small files costs nothing; cert-manager and Kubernetes need a minute to bring a renewal. */
const POLL_MS = 5_000;
/** A renewal that is still inconsistent after so many polls is no renewal in progress: it is told. */
const MAX_INCONSISTENT_POLLS = 6;

/**
 * Polls the files of `kafka.tls` and `kafka.sasl` and calls `onChange` when they have changed and can be used.
 * librdkafka reads credentials only when a client is created, so its owner replaces the client then. (kafkajs's clients
 * read them at each connection.) Polling sees what inotify misses: Kubernetes replaces a folder's symbolic link.
 */
export class CredentialWatch {
  readonly #options: KafkaOptions;
  readonly #onChange: () => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #digest: string;
  /** How often they have changed: a client created before a change lacks it. */
  changes = 0;
  #inconsistentPolls = 0;

  /** Create it before the client, so that no change is missed between the two. Throws CONFIG_INVALID. */
  constructor(options: KafkaOptions, onChange: () => void, pollMs = POLL_MS) {
    this.#options = options;
    this.#onChange = onChange;
    this.#digest = credentialsDigest(readCredentials(options));
    if (hasFiles(options)) this.#timer = setInterval(() => this.check(), pollMs).unref();
  }

  /** Reads the files now. */
  check(): void {
    let credentials: Credentials;
    try {
      credentials = readConsistent(this.#options);
    } catch (error) {
      this.#inconsistentPolls += 1;
      if (this.#inconsistentPolls === MAX_INCONSISTENT_POLLS)
        log.warn(`${(error as Error).message}; the credentials from before stay in use`);
      return;
    }
    this.#inconsistentPolls = 0;
    const digest = credentialsDigest(credentials);
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.changes += 1;
    this.#onChange();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function hasFiles({ tls, sasl }: KafkaOptions): boolean {
  const saslFile = sasl && (sasl.mechanism === 'OAUTHBEARER' ? sasl.clientSecretFile : sasl.passwordFile);
  return [tls?.enabled && (tls.ca ?? tls.certificate), saslFile].some((file) => typeof file === 'string');
}
