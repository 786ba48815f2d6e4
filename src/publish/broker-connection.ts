import { Backoff } from '../backoff.ts';
import { AustreamError } from '../errors.ts';
import { createMissingTopics, type TopicSpec, withAdmin } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import { topicSpecs } from '../records/topics.ts';
import type { InFlightMessage, Outbox } from './outbox.ts';

/** Messages in flight and none delivered for this long: the brokers count as away. */
const SILENCE_MS = 2000;
const WATCH_MS = 500;
/** Longest wait for an answer when looking for the brokers again. */
const RETRY_TIMEOUT_MS = 5000;
const RECONNECT = { firstMs: 250, maxMs: 5000, jitter: 'equal' } as const;

/**
 * The outbox's way to the brokers: connects, sees to the topics, notices when the brokers are away and replaces
 * a producer that has failed for good, for as long as it takes.
 */
export class BrokerConnection {
  readonly #options: KafkaOptions;
  readonly #outbox: Outbox;
  /** Created where they are missing. */
  readonly #topics: readonly TopicSpec[];
  readonly #report: (state: 'connected' | 'away', detail: string) => void;
  readonly #closing = new AbortController();
  readonly #watch: NodeJS.Timeout;
  #producer: KafkaProducer<InFlightMessage> | null = null;
  #brokers: string;
  #connected = false;
  #lastSign = Date.now();

  constructor(
    options: KafkaOptions,
    outbox: Outbox,
    report: (state: 'connected' | 'away', detail: string) => void,
    topics: readonly TopicSpec[] = topicSpecs(options),
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#outbox = outbox;
    this.#report = report;
    this.#brokers = options.brokers?.join(',') ?? '';
    this.#watch = setInterval(() => this.#listen(), WATCH_MS).unref();
  }

  get brokers(): string {
    return this.#brokers;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Throws where no broker answers in time; with `mayWait`, goes on looking for one in the background. */
  async open({ mayWait }: { mayWait: boolean }): Promise<void> {
    try {
      await this.#connect(this.#options.connectSeconds * 1000);
    } catch (error) {
      if (!mayWait || !(error instanceof AustreamError) || !error.canRetry) {
        clearInterval(this.#watch);
        throw error;
      }
      this.#gone(error.message);
      void this.#reconnect();
    }
  }

  send(flight: InFlightMessage): boolean {
    if (!this.#producer) return false;
    if (this.#outbox.inFlight === 0) this.#lastSign = Date.now();
    const { topic, key, value, partition } = flight.entry;
    return this.#producer.produce(topic, key, value, flight, partition);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#watch);
    const producer = this.#producer;
    await producer?.close(0);
    this.#producer = null;
  }

  async #connect(timeoutMs: number): Promise<void> {
    let producer: KafkaProducer<InFlightMessage> | null = null;
    /** A producer that was replaced may still report; nobody listens to it. */
    const mine = () => producer !== null && producer === this.#producer;
    const connecting = await KafkaProducer.connect<InFlightMessage>(
      this.#options,
      {
        delivered: (flight) => mine() && this.#delivered(flight),
        rejected: (flight, cause) => mine() && this.#outbox.rejected(flight, cause),
        unreachable: (detail) => mine() && this.#gone(detail),
        broken: (detail) => mine() && this.#replace(detail),
      },
      timeoutMs,
    );
    try {
      await this.#seeToTopics(connecting, timeoutMs);
    } catch (error) {
      await connecting.close(0);
      throw error;
    }
    producer = this.#producer = connecting;
    if (this.#options.embedded) this.#brokers = connecting.brokers;
    this.#back();
    this.#outbox.resume();
  }

  async #seeToTopics(producer: KafkaProducer<InFlightMessage>, timeoutMs: number): Promise<void> {
    const specs = this.#topics;
    if (this.#options.embedded) for (const { name } of specs) await producer.requestTopic(name, timeoutMs);
    else if (this.#options.topics.create)
      await withAdmin(this.#options, (admin) => createMissingTopics(admin, specs));
  }

  /** Looks for the brokers until they are there or this link is closed. */
  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff(RECONNECT);
    for (;;) {
      await backoff.wait(signal);
      if (signal.aborted) return;
      try {
        return await this.#connect(RETRY_TIMEOUT_MS);
      } catch (error) {
        if (signal.aborted) return;
        this.#gone((error as Error).message);
      }
    }
  }

  #replace(detail: string): void {
    const broken = this.#producer;
    this.#producer = null;
    this.#gone(detail);
    this.#outbox.pause();
    void broken?.close(0).then(() => this.#reconnect());
  }

  #delivered(flight: InFlightMessage): void {
    this.#lastSign = Date.now();
    this.#outbox.delivered(flight);
    this.#back();
  }

  #listen(): void {
    if (this.#outbox.inFlight > 0 && Date.now() - this.#lastSign > SILENCE_MS)
      this.#gone(`no acknowledgement for ${SILENCE_MS / 1000} s`);
  }

  #gone(detail: string): void {
    this.#outbox.brokersUnreachable();
    if (this.#connected) this.#report('away', detail);
    this.#connected = false;
  }

  #back(): void {
    if (!this.#connected) this.#report('connected', this.#brokers);
    this.#connected = true;
  }
}
