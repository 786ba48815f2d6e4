import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsumedEvent, consume } from '../../src/consume/index.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import type { AuActivation, AuFrame } from '../../src/records/events.ts';
import { readTopic } from '../broker/read-topic.ts';

/** What a read_committed consumer finds on the topics of a prefix, in the order in which it comes. */
export class Published {
  readonly frames: AuFrame[] = [];
  readonly activations: AuActivation[] = [];
  /** When this consumer got each frame (ms). */
  readonly at: number[] = [];
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

  /** Resolves when so many frames have come and nothing more has for a while; false when `timeoutMs` was over first. */
  async complete(frames: number, timeoutMs: number): Promise<boolean> {
    const until = Date.now() + timeoutMs;
    for (let quiet = 0; quiet < 20; ) {
      if (Date.now() > until) return false;
      const before = this.frames.length + this.activations.length;
      await sleep(100);
      const still = before === this.frames.length + this.activations.length;
      quiet = still && this.frames.length >= frames ? quiet + 1 : 0;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  async #read(events: AsyncIterable<ConsumedEvent>): Promise<void> {
    // After an outage this consumer may be given again what it had: the same place is the same event.
    const places = new Set<string>();
    for await (const event of events) {
      const place = `${event.topic}/${event.partition}/${event.offset}`;
      if (places.has(place)) continue;
      places.add(place);
      if (event.record === 'AuFrame') {
        this.frames.push(event.value);
        this.at.push(Date.now());
      }
      if (event.record === 'AuActivation') this.activations.push(event.value);
    }
  }
}

/** All committed events of a prefix, read by librdkafka: a second client beside the kafkajs of `Published`. */
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

/** How the frames of one camera differ from those that another gave for the same film. */
export function compareFrames(
  expected: readonly AuFrame[],
  given: readonly AuFrame[],
): { missing: number; twice: number; foreign: number; outOfOrder: number; difference: number } {
  const idOf = ({ epoch, trackId, frame }: AuFrame) => `${epoch}/${trackId}/${frame}`;
  const wanted = new Map(expected.map((frame) => [idOf(frame), frame]));
  const found = new Map(given.map((frame) => [idOf(frame), frame]));
  let difference = 0;
  for (const [id, frame] of found) {
    const other = wanted.get(id);
    for (const [au, state] of Object.entries(frame.aus)) {
      const wantedState = other?.aus[au as keyof AuFrame['aus']];
      if (state === null || !wantedState) {
        if (other && state !== wantedState) difference = Number.POSITIVE_INFINITY;
      } else
        difference = Math.max(
          difference,
          Math.abs(state.raw - wantedState.raw),
          Math.abs(state.p - wantedState.p),
        );
    }
  }
  const newest = new Map<string, number>();
  let outOfOrder = 0;
  for (const { epoch, trackId, frame } of given) {
    const track = `${epoch}/${trackId}`;
    if (frame <= (newest.get(track) ?? -1)) outOfOrder += 1;
    newest.set(track, frame);
  }
  return {
    missing: [...wanted.keys()].filter((id) => !found.has(id)).length,
    twice: given.length - found.size,
    foreign: [...found.keys()].filter((id) => !wanted.has(id)).length,
    outOfOrder,
    difference,
  };
}

export const SAME = { missing: 0, twice: 0, foreign: 0, outOfOrder: 0 };

/** Activations without what differs from run to run: the camera's name, the moment of inference, the last digits. */
export function essence(activations: readonly AuActivation[]) {
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

/** The largest difference of peaks and means. */
export function activationDifference(
  expected: readonly AuActivation[],
  given: readonly AuActivation[],
): number {
  const idOf = ({ epoch, trackId, au, onset, phase }: AuActivation) =>
    `${epoch}/${trackId}/${au}/${onset}/${phase}`;
  const found = new Map(given.map((activation) => [idOf(activation), activation]));
  return Math.max(
    0,
    ...expected.map((activation) => {
      const other = found.get(idOf(activation));
      if (!other) return Number.POSITIVE_INFINITY;
      return Math.max(Math.abs(activation.peak - other.peak), Math.abs(activation.mean - other.mean));
    }),
  );
}
