import { Backoff } from '../backoff.ts';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { createMissingTopics, type TopicSpec, withAdmin } from '../kafka/admin.ts';
import { CredentialWatch } from '../kafka/credential-watch.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import { log } from '../log.ts';
import { topicSpecs } from '../records/topics.ts';
import type { InFlightMessage, Outbox } from './outbox.ts';

/** The brokers count as unreachable if no message in flight is acknowledged for this long. */
const ACK_TIMEOUT_MS = 2000;
const ACK_CHECK_MS = 500;
/** Timeout of one attempt to reconnect. */
const RECONNECT_TIMEOUT_MS = 5000;
/** How long messages in flight may take to be acknowledged before the producer is replaced; then they are sent again. */
const RENEW_FLUSH_MS = 5000;
const RECONNECT = { firstMs: 250, maxMs: 5000, jitter: 'equal' } as const;

/**
 * The outbox's connection to the brokers. It connects, creates missing topics, detects outages and replaces a producer
 * that has failed for good. It retries without end, also errors that a retry does not usually cure: somebody may correct
 * the brokers' configuration meanwhile.
 */
export class BrokerConnection {
  readonly #options: KafkaOptions;
  readonly #outbox: Outbox;
  /** Created if they do not exist. */
  readonly #topics: readonly TopicSpec[];
  readonly #report: (state: 'connected' | 'unreachable', detail: string) => void;
  readonly #closing = new AbortController();
  readonly #ackTimer: NodeJS.Timeout;
  #producer: KafkaProducer<InFlightMessage> | null = null;
  #credentials: CredentialWatch | null = null;
  /** The producer is flushed to be replaced: nothing new is sent by it. */
  #renewing = false;
  #brokers: string;
  #connected = false;
  #lastAckAt = monotonicMs();

  constructor(
    options: KafkaOptions,
    outbox: Outbox,
    report: (state: 'connected' | 'unreachable', detail: string) => void,
    topics: readonly TopicSpec[] = topicSpecs(options),
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#outbox = outbox;
    this.#report = report;
    this.#brokers = options.brokers?.join(',') ?? '';
    this.#ackTimer = setInterval(() => this.#checkAcknowledgements(), ACK_CHECK_MS).unref();
  }

  /** host:port of the brokers, comma-separated. */
  get brokers(): string {
    return this.#brokers;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Throws KAFKA_UNREACHABLE or KAFKA_REJECTED if the first attempt fails. With `retryInBackground`, an error that
   * `canRetry` does not throw: the connection keeps trying.
   */
  async open({ retryInBackground }: { retryInBackground: boolean }): Promise<void> {
    try {
      this.#credentials = new CredentialWatch(this.#options, () => void this.#renewProducer());
      await this.#connect(this.#options.connectSeconds * 1000);
    } catch (error) {
      if (!retryInBackground || !(error instanceof AustreamError) || !error.canRetry) {
        clearInterval(this.#ackTimer);
        this.#credentials?.close();
        throw error;
      }
      this.#markUnreachable(error.message);
      void this.#reconnect();
    }
  }

  /** Sends the message with this value. False if there is no producer, or its queue is full. */
  send(message: InFlightMessage, value = message.entry.value): boolean {
    if (!this.#producer || this.#renewing) return false;
    if (this.#outbox.inFlight === 0) this.#lastAckAt = monotonicMs();
    const { topic, key, partition } = message.entry;
    return this.#producer.produce(topic, key, value, message, partition);
  }

  /** Disconnects without waiting for acknowledgements. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#credentials?.close();
    clearInterval(this.#ackTimer);
    const producer = this.#producer;
    await producer?.close(0);
    this.#producer = null;
  }

  async #connect(timeoutMs: number): Promise<void> {
    let producer: KafkaProducer<InFlightMessage> | null = null;
    /** Events of a producer that has been replaced are ignored. */
    const isCurrent = () => producer !== null && producer === this.#producer;
    const changesBefore = this.#credentials?.changes;
    const connecting = await KafkaProducer.connect<InFlightMessage>(
      this.#options,
      {
        delivered: (message) => isCurrent() && this.#delivered(message),
        rejected: (message, cause) => isCurrent() && this.#outbox.rejected(message, cause),
        unreachable: (detail) => isCurrent() && this.#markUnreachable(detail),
        broken: (detail) => isCurrent() && this.#replaceProducer(detail),
      },
      timeoutMs,
    );
    try {
      await this.#ensureTopics(connecting, timeoutMs);
    } catch (error) {
      await connecting.close(0);
      throw error;
    }
    producer = this.#producer = connecting;
    if (this.#options.embedded) this.#brokers = connecting.brokers;
    this.#markConnected();
    this.#outbox.resume();
    if (this.#credentials?.changes !== changesBefore) void this.#renewProducer();
  }

  async #ensureTopics(producer: KafkaProducer<InFlightMessage>, timeoutMs: number): Promise<void> {
    if (this.#options.embedded)
      for (const { name } of this.#topics) await producer.requestTopic(name, timeoutMs);
    else if (this.#options.topics.create)
      await withAdmin(this.#options, (admin) => createMissingTopics(admin, this.#topics));
  }

  /** Retries until it is connected or closed. */
  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff(RECONNECT);
    for (;;) {
      await backoff.wait(signal);
      if (signal.aborted) return;
      try {
        return await this.#connect(RECONNECT_TIMEOUT_MS);
      } catch (error) {
        if (signal.aborted) return;
        this.#markUnreachable((error as Error).message);
      }
    }
  }

  /** The credentials have changed: a new producer uses them. Without a producer, the next attempt does so anyway. */
  async #renewProducer(): Promise<void> {
    const producer = this.#producer;
    if (!producer || this.#renewing) return;
    log.info('the credentials for Kafka have changed: connecting again');
    this.#renewing = true;
    await producer.close(RENEW_FLUSH_MS);
    this.#renewing = false;
    // It may have failed meanwhile, and been replaced.
    if (this.#closing.signal.aborted || this.#producer !== producer) return;
    this.#producer = null;
    this.#outbox.pause();
    await this.#reconnect();
  }

  #replaceProducer(detail: string): void {
    const broken = this.#producer;
    this.#producer = null;
    this.#markUnreachable(detail);
    this.#outbox.pause();
    void broken?.close(0).then(() => this.#reconnect());
  }

  #delivered(message: InFlightMessage): void {
    this.#lastAckAt = monotonicMs();
    this.#outbox.delivered(message);
    this.#markConnected();
  }

  #checkAcknowledgements(): void {
    if (this.#outbox.inFlight > 0 && monotonicMs() - this.#lastAckAt > ACK_TIMEOUT_MS)
      this.#markUnreachable(`no acknowledgement for ${ACK_TIMEOUT_MS / 1000} s`);
  }

  #markUnreachable(detail: string): void {
    this.#outbox.brokersUnreachable();
    if (this.#connected) this.#report('unreachable', detail);
    this.#connected = false;
  }

  #markConnected(): void {
    if (!this.#connected) this.#report('connected', this.#brokers);
    this.#connected = true;
  }
}
