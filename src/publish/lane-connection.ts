import { Backoff } from '../backoff.ts';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { createMissingTopics, type TopicSpec, topicExists, withAdmin } from '../kafka/admin.ts';
import { CredentialWatch } from '../kafka/credential-watch.ts';
import type { DeliveryFailure } from '../kafka/delivery-policy.ts';
import { rootCause } from '../kafka/kafkajs-errors.ts';
import { KeyPartitions } from '../kafka/key-partitions.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { KafkaProducer, MAX_BATCH_MESSAGES } from '../kafka/producer.ts';
import { log } from '../log.ts';
import { BatchLimit } from './batch-limit.ts';
import type { InFlightMessage, Outbox } from './outbox.ts';
import type { HoldReason, WireFormat } from './wire-format.ts';

/** The brokers count as unreachable if no message in flight is acknowledged for this long. */
const ACK_TIMEOUT_MS = 2000;
const ACK_CHECK_MS = 500;
/** After a failed producer the reports of its other messages come within this time; one of them names the cause. */
const GATHER_MS = 50;
/** How long messages in flight may take before a producer is replaced for new credentials; then they are sent again. */
const RENEW_FLUSH_MS = 5000;
/** Timeout of one attempt to reconnect. */
const RECONNECT_TIMEOUT_MS = 5000;
const RECONNECT = { firstMs: 250, maxMs: 5000, jitter: 'equal' } as const;
/** Between two attempts to send what only a person or time cures. */
const HOLD = { firstMs: 1000, maxMs: 30_000, jitter: 'equal' } as const;
const NEW_CREDENTIALS = 'the credentials for Kafka have changed';
/** Partitions that are added to the topic are used within this time. */
const PARTITIONS_MS = 30_000;
/** After so many failed producers in a row a retry is a hold: somebody must know. */
const MAX_RETRIES = 3;
/** After this time without a refusal, attempts begin with a short wait again. */
const CALM_MS = 60_000;
/** While nothing is acknowledged: intervals of asking the brokers for the topic. */
const DIAGNOSE = { firstMs: 3000, maxMs: 30_000, jitter: 'equal' } as const;

/** Null: messages are delivered. */
type HoldListener = (reason: HoldReason | null) => void;

/**
 * Connects one topic's outbox to the brokers. It makes sure that the topic exists, detects outages, applies the delivery
 * policy (docs/delivery.md) and replaces a producer that has failed. It retries without end, also errors that a retry does
 * not usually cure: somebody may correct the brokers' configuration meanwhile.
 */
export class LaneConnection {
  readonly #options: KafkaOptions;
  readonly #topic: string;
  /** How the topic is created if it does not exist; null: it never is. */
  readonly #spec: TopicSpec | null;
  readonly #outbox: Outbox;
  readonly #wire: WireFormat;
  readonly #changed: HoldListener;
  readonly #closing = new AbortController();
  readonly #ackTimer: NodeJS.Timeout;
  readonly #batch = new BatchLimit(MAX_BATCH_MESSAGES);
  readonly #holdBackoff = new Backoff(HOLD);
  readonly #diagnoseBackoff = new Backoff(DIAGNOSE);
  #producer: KafkaProducer<InFlightMessage> | null = null;
  /**
   * The partitions that the producer uses. They stay the same as long as it lives: if a key moved to an added partition while
   * earlier messages are not acknowledged, those would follow it there, behind the later ones. Null: a broker that does not
   * know the new topic yet; librdkafka waits for it and chooses.
   */
  #partitions: KeyPartitions | null = null;
  readonly #partitionsTimer: NodeJS.Timeout;
  #credentials: CredentialWatch | null = null;
  /** The producer is flushed to be replaced: nothing new is sent by it. */
  #renewing = false;
  /** The producer has failed; its replacement is under way. */
  #failure: DeliveryFailure | null = null;
  /** Ends the present attempt to connect, when it is done or when the connection is closed. */
  #attempt: Promise<void> = Promise.resolve();
  #reason: HoldReason | null = { cause: 'kafka_connecting', detail: 'not connected yet' };
  #lastAckAt = monotonicMs();
  #nextDiagnosisAt = 0;
  #heldAt = Number.NEGATIVE_INFINITY;
  /** Producers that failed since the last acknowledgement. */
  #failedProducers = 0;

  constructor(
    options: KafkaOptions,
    topic: string,
    spec: TopicSpec | null,
    outbox: Outbox,
    wire: WireFormat,
    changed: HoldListener,
  ) {
    this.#options = options;
    this.#topic = topic;
    this.#spec = spec;
    this.#outbox = outbox;
    this.#wire = wire;
    this.#changed = changed;
    this.#ackTimer = setInterval(() => this.#checkAcknowledgements(), ACK_CHECK_MS).unref();
    this.#partitionsTimer = setInterval(() => void this.#checkPartitions(), PARTITIONS_MS).unref();
  }

  /**
   * Throws KAFKA_UNREACHABLE or KAFKA_REJECTED if the first attempt fails. With `retryInBackground`, an error that
   * `canRetry` does not throw: the connection keeps trying.
   */
  async open({ retryInBackground }: { retryInBackground: boolean }): Promise<void> {
    try {
      this.#credentials = new CredentialWatch(this.#options, () => this.#renew(NEW_CREDENTIALS));
      await this.#connect(this.#options.connectSeconds * 1000);
    } catch (error) {
      if (!retryInBackground || !(error instanceof AustreamError) || !error.canRetry) {
        await this.close();
        throw error;
      }
      this.#hold({ cause: 'kafka_unreachable', detail: error.message });
      this.#attempt = this.#reconnect(new Backoff(RECONNECT));
    }
  }

  /** False if there is no producer, its queue is full, or the message cannot be written yet. */
  send(message: InFlightMessage): boolean {
    if (!this.#producer || this.#failure || this.#renewing) return false;
    const { key, value, partition } = message.entry;
    const wire = value && this.#wire(value);
    if (wire !== null && !Buffer.isBuffer(wire)) {
      this.#hold(wire);
      return false;
    }
    if (this.#outbox.inFlight === 0) this.#lastAckAt = monotonicMs();
    // A topic that was made anew may have fewer partitions.
    const place = partition === undefined ? this.#partitions?.of(key) : partition % this.partitions;
    return this.#producer.produce(this.#topic, key, wire, message, place);
  }

  /** How many partitions of the topic are in use. */
  get partitions(): number {
    return this.#partitions?.count ?? 1;
  }

  /** Headers that were unknown are known. */
  wireFormatKnown(): void {
    if (this.#reason?.cause.startsWith('registry') || this.#reason?.cause === 'schema_unknown')
      this.#release();
    this.#outbox.fillWindow();
  }

  /** Why nothing is delivered at present; null while messages are delivered. */
  get reason(): HoldReason | null {
    return this.#reason;
  }

  /** Disconnects without waiting for acknowledgements. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#credentials?.close();
    clearInterval(this.#ackTimer);
    clearInterval(this.#partitionsTimer);
    await this.#attempt;
    await this.#producer?.close(0);
    this.#producer = null;
  }

  async #connect(timeoutMs: number): Promise<void> {
    const changesBefore = this.#credentials?.changes;
    let producer: KafkaProducer<InFlightMessage> | null = null;
    /** A user without any right to write is refused before the first message. */
    let early: DeliveryFailure | null = null;
    /** Events of a producer that has been replaced are ignored. */
    const isCurrent = () => producer !== null && producer === this.#producer;
    const connecting = await KafkaProducer.connect<InFlightMessage>(
      this.#options,
      {
        delivered: (message) => isCurrent() && this.#delivered(message),
        failed: (message, failure) => isCurrent() && this.#failed(message, failure),
        unreachable: (detail) => isCurrent() && this.#hold({ cause: 'kafka_unreachable', detail }),
        broken: (failure) => {
          if (isCurrent()) this.#replaceAfter(failure);
          else early ??= failure;
        },
      },
      timeoutMs,
      this.#batch.messages,
    );
    try {
      await this.#ensureTopic(timeoutMs);
      const count = await connecting.partitionCount(this.#topic, timeoutMs);
      if (count > 0 && count !== this.#partitions?.count) this.#partitions = new KeyPartitions(count);
    } catch (error) {
      await connecting.close(0);
      throw error;
    }
    producer = connecting;
    if (this.#closing.signal.aborted) return producer.close(0);
    this.#producer = producer;
    this.#lastAckAt = monotonicMs();
    if (early) return this.#replaceAfter(early);
    // After a hold only an acknowledgement shows that the cause is cured.
    if (this.#reason && isAway(this.#reason)) this.#release();
    this.#outbox.resume();
    if (this.#credentials?.changes !== changesBefore) this.#renew(NEW_CREDENTIALS);
  }

  async #ensureTopic(connectMs: number): Promise<void> {
    await withAdmin(
      this.#options,
      async (admin) => {
        if (this.#options.topics.create && this.#spec) await createMissingTopics(admin, [this.#spec]);
        else await topicExists(admin, this.#topic);
      },
      { topics: [this.#topic], connectMs: Math.min(10_000, connectMs) },
    );
  }

  /** Retries until it is connected or closed. */
  async #reconnect(backoff: Backoff): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await backoff.wait(signal);
      if (signal.aborted) return;
      try {
        return await this.#connect(RECONNECT_TIMEOUT_MS);
      } catch (error) {
        if (signal.aborted) return;
        this.#hold(reasonOf(error as Error));
      }
    }
  }

  #delivered(message: InFlightMessage): void {
    this.#lastAckAt = monotonicMs();
    this.#failedProducers = 0;
    if (!this.#failure) this.#release();
    this.#outbox.delivered(message);
  }

  #failed(message: InFlightMessage, failure: DeliveryFailure): void {
    if (failure.verdict === 'split' && !this.#batch.canSplit) {
      this.#outbox.rejected(message, 'record_too_large');
      this.#batch.grow();
      this.#replaceAfter({ ...failure, verdict: 'retry' });
    } else this.#replaceAfter(failure);
  }

  async #checkPartitions(): Promise<void> {
    const producer = this.#producer;
    if (!producer) return;
    // Without brokers the known number stays.
    const count = await producer.partitionCount(this.#topic, RECONNECT_TIMEOUT_MS).catch(() => 0);
    if (producer === this.#producer && count > (this.#partitions?.count ?? 0))
      this.#renew(`the topic has ${count} partitions now`);
  }

  /** A new producer is needed, for `why`. Without a producer, the next attempt makes one anyway. */
  #renew(why: string): void {
    const producer = this.#producer;
    if (!producer || this.#renewing || this.#failure) return;
    log.info({ topic: this.#topic }, `${why}: connecting again`);
    this.#renewing = true;
    this.#attempt = producer.close(RENEW_FLUSH_MS).then(() => {
      this.#renewing = false;
      // It may have failed meanwhile, and be replaced already.
      if (this.#producer !== producer || this.#failure) return;
      this.#producer = null;
      this.#outbox.pause();
      return this.#closing.signal.aborted ? undefined : this.#reconnect(new Backoff(RECONNECT));
    });
  }

  /** The first failure of a producer ends it. Its unacknowledged messages go to a new one, in order. */
  #replaceAfter(failure: DeliveryFailure): void {
    if (this.#failure) {
      if (this.#failure.verdict === 'retry') this.#failure = failure;
      return;
    }
    this.#failure = failure;
    this.#attempt = this.#replace();
  }

  async #replace(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const { verdict, cause, detail } = this.#failure!;
    this.#failedProducers += 1;
    const hold = verdict === 'hold' || (verdict === 'retry' && this.#failedProducers > MAX_RETRIES);
    const failed = this.#producer;
    this.#producer = null;
    this.#outbox.pause();
    if (hold) this.#hold({ cause, detail });
    await failed?.close(0);
    this.#failure = null;
    if (this.#closing.signal.aborted) return;
    if (verdict === 'split') this.#batch.reduce();
    if (!hold) return this.#reconnect(new Backoff(RECONNECT));
    // One partition may deliver while another refuses: a delivery alone does not shorten the wait.
    const now = monotonicMs();
    if (now - this.#heldAt > CALM_MS) this.#holdBackoff.reset();
    this.#heldAt = now;
    return this.#reconnect(this.#holdBackoff);
  }

  #checkAcknowledgements(): void {
    const now = monotonicMs();
    if (this.#outbox.inFlight === 0 || now - this.#lastAckAt <= ACK_TIMEOUT_MS) return;
    this.#hold(
      this.#reason ?? {
        cause: 'kafka_unreachable',
        detail: `no acknowledgement for ${ACK_TIMEOUT_MS / 1000} s`,
      },
    );
    if (now < this.#nextDiagnosisAt || this.#failure) return;
    this.#nextDiagnosisAt = Number.POSITIVE_INFINITY;
    void this.#diagnose().finally(() => {
      this.#nextDiagnosisAt = monotonicMs() + this.#diagnoseBackoff.next();
    });
  }

  /** librdkafka retries some errors silently and without end: the brokers say whether the topic is still there. */
  async #diagnose(): Promise<void> {
    const producer = this.#producer;
    try {
      const exists = await withAdmin(this.#options, (admin) => topicExists(admin, this.#topic), {
        topics: [this.#topic],
        connectMs: RECONNECT_TIMEOUT_MS,
        retries: 0,
      });
      if (producer !== this.#producer || exists) return;
      this.#replaceAfter({
        verdict: 'hold',
        cause: 'kafka_unknown_topic_or_partition',
        detail: `${this.#topic} is not there`,
      });
    } catch (error) {
      if (producer === this.#producer && this.#outbox.inFlight > 0) this.#hold(reasonOf(error as Error));
    }
  }

  #hold(reason: HoldReason): void {
    this.#outbox.brokersUnreachable();
    if (this.#reason?.cause === reason.cause) return;
    this.#reason = reason;
    if (!this.#closing.signal.aborted) this.#changed(reason);
  }

  #release(): void {
    if (!this.#reason) return;
    this.#reason = null;
    this.#diagnoseBackoff.reset();
    this.#nextDiagnosisAt = 0;
    this.#changed(null);
  }
}

/** The reason is cured by a connection. */
function isAway({ cause }: HoldReason): boolean {
  return cause === 'kafka_unreachable' || cause === 'kafka_connecting';
}

function reasonOf(error: Error): HoldReason {
  const { type } = rootCause(error instanceof AustreamError ? (error.cause ?? error) : error) as {
    type?: string;
  };
  const rejected = error instanceof AustreamError && !error.canRetry;
  return {
    cause: rejected ? `kafka_${type?.toLowerCase() ?? 'rejected'}` : 'kafka_unreachable',
    detail: error.message,
  };
}
