import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsumedEvent, consume } from '../../src/consume/index.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import type { AuActivation, AuFrame } from '../../src/records/events.ts';
import { readTopic } from '../broker/read-topic.ts';

/** Collects the committed events of a topic prefix in the order in which a kafkajs consumer receives them. */
export class EventCollector {
  readonly frames: AuFrame[] = [];
  readonly activations: AuActivation[] = [];
  /** When each of `frames` was received (ms). */
  readonly receivedAt: number[] = [];
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(brokers: string, prefix: string) {
    this.#reading = this.#read(
      consume({
        brokers: [brokers],
        topics: [`${prefix}frames`, `${prefix}activations`],
        groupId: `${prefix}reader`,
        fromBeginning: true,
        commit: false,
        signal: this.#stop.signal,
      }),
    );
  }

  /** Resolves with true when at least `frames` frames and then nothing for 2 s was received; with false after `timeoutMs`. */
  async waitForFrames(frames: number, timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    for (let quiet = 0; quiet < 20; ) {
      if (Date.now() > deadline) return false;
      const before = this.frames.length + this.activations.length;
      await sleep(100);
      const unchanged = before === this.frames.length + this.activations.length;
      quiet = unchanged && this.frames.length >= frames ? quiet + 1 : 0;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  async #read(events: AsyncIterable<ConsumedEvent>): Promise<void> {
    // kafkajs may deliver a message again after an outage. The same offset is the same message, no duplicate event.
    const offsets = new Set<string>();
    for await (const event of events) {
      const offset = `${event.topic}/${event.partition}/${event.offset}`;
      if (offsets.has(offset)) continue;
      offsets.add(offset);
      if (event.record === 'AuFrame') {
        this.frames.push(event.value);
        this.receivedAt.push(Date.now());
      }
      if (event.record === 'AuActivation') this.activations.push(event.value);
    }
  }
}

/** All committed events of a prefix, read by librdkafka: a second client beside `EventCollector`'s kafkajs. */
export async function readAll(brokers: string, prefix: string) {
  const decoder = new RecordDecoder();
  const frames: AuFrame[] = [];
  const activations: AuActivation[] = [];
  for (const topic of [`${prefix}frames`, `${prefix}activations`])
    for (const { value } of await readTopic([brokers], topic)) {
      const event = await decoder.decode(value);
      if (event.record === 'AuFrame') frames.push(event.value);
      if (event.record === 'AuActivation') activations.push(event.value);
    }
  return { frames, activations };
}

/** Compares the frames of one camera with those that another run published for the same clip. */
export function compareFrames(
  expected: readonly AuFrame[],
  actual: readonly AuFrame[],
): { missing: number; duplicates: number; unexpected: number; outOfOrder: number; difference: number } {
  const idOf = ({ epoch, trackId, frame }: AuFrame) => `${epoch}/${trackId}/${frame}`;
  const expectedById = new Map(expected.map((frame) => [idOf(frame), frame]));
  const actualById = new Map(actual.map((frame) => [idOf(frame), frame]));
  let difference = 0;
  for (const [id, frame] of actualById) {
    const other = expectedById.get(id);
    for (const [au, state] of Object.entries(frame.aus)) {
      const expectedState = other?.aus[au as keyof AuFrame['aus']];
      if (state === null || !expectedState) {
        if (other && state !== expectedState) difference = Number.POSITIVE_INFINITY;
      } else
        difference = Math.max(
          difference,
          Math.abs(state.raw - expectedState.raw),
          Math.abs(state.p - expectedState.p),
        );
    }
  }
  const newest = new Map<string, number>();
  let outOfOrder = 0;
  for (const { epoch, trackId, frame } of actual) {
    const track = `${epoch}/${trackId}`;
    if (frame <= (newest.get(track) ?? -1)) outOfOrder += 1;
    newest.set(track, frame);
  }
  return {
    missing: [...expectedById.keys()].filter((id) => !actualById.has(id)).length,
    duplicates: actual.length - actualById.size,
    unexpected: [...actualById.keys()].filter((id) => !expectedById.has(id)).length,
    outOfOrder,
    difference,
  };
}

export const NO_DIFFERENCES = { missing: 0, duplicates: 0, unexpected: 0, outOfOrder: 0 };

/** Activations without the fields that differ between runs: camera id, time of inference, floats. */
export function comparableActivations(activations: readonly AuActivation[]) {
  return activations
    .map(({ epoch, trackId, au, phase, onset, offset, apex, frames, end }) => ({
      id: `${epoch}/${trackId}/${au}/${onset}/${phase}`,
      offset,
      apex,
      frames,
      end,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The largest difference of any peak or mean; infinite if an activation is missing. */
export function activationDifference(
  expected: readonly AuActivation[],
  actual: readonly AuActivation[],
): number {
  const idOf = ({ epoch, trackId, au, onset, phase }: AuActivation) =>
    `${epoch}/${trackId}/${au}/${onset}/${phase}`;
  const actualById = new Map(actual.map((activation) => [idOf(activation), activation]));
  return Math.max(
    0,
    ...expected.map((activation) => {
      const other = actualById.get(idOf(activation));
      if (!other) return Number.POSITIVE_INFINITY;
      return Math.max(Math.abs(activation.peak - other.peak), Math.abs(activation.mean - other.mean));
    }),
  );
}
