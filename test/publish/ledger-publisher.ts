import { type KafkaOptions, kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { recordType } from '../../src/records/avro.ts';
import { readTopic } from '../broker/read-topic.ts';
import { frameNumber } from '../records/samples.ts';

const TRACKS = 4;
const HEADER_BYTES = 10;

/** A publisher that notes what it was given, what it lost and what it said. */
export class LedgerPublisher {
  readonly publisher: Publisher;
  readonly options: KafkaOptions;
  /** Counts of lost events by cause. */
  readonly lost: Record<string, number>;
  /** `held <topic> <cause>`, `delivering <topic>`, `spool <state>`, in order. */
  readonly told: string[];
  /** Frames of each track: 0 … published − 1. */
  published = 0;

  static async open(
    kafka: object,
    from = { published: 0, lost: {} as Record<string, number> },
  ): Promise<LedgerPublisher> {
    const options = kafkaOptions.parse(kafka);
    const told: string[] = [];
    const { lost } = from;
    const publisher = await openPublisher(options, {
      acknowledged() {},
      dropped: (_, count, cause) => {
        lost[cause] = (lost[cause] ?? 0) + count;
      },
      delivery: (topic, state, cause) => told.push(`${state} ${topic} ${cause}`.trim()),
      spool: (state) => told.push(`spool ${state}`),
    });
    return new LedgerPublisher(publisher, options, lost, told, from.published);
  }

  private constructor(
    publisher: Publisher,
    options: KafkaOptions,
    lost: Record<string, number>,
    told: string[],
    published: number,
  ) {
    this.publisher = publisher;
    this.options = options;
    this.lost = lost;
    this.told = told;
    this.published = published;
  }

  /** Publishes the next `count` frames of every track. */
  publish(count: number): void {
    for (let done = 0; done < count; done += 1) {
      for (let track = 1; track <= TRACKS; track += 1)
        this.publisher.frames([frameNumber(this.published, { trackId: track })]);
      this.published += 1;
    }
  }

  topic(name: 'frames' | 'activations' | 'cameras') {
    const topic = `${this.options.topicPrefix}${name}`;
    return this.publisher.stats().topics.find((delivery) => delivery.topic === topic)!;
  }

  /** The frame numbers of each track in the topic, without repetitions, in order of their first arrival. */
  async arrived(brokers: readonly string[]): Promise<number[][]> {
    const tracks = Array.from({ length: TRACKS }, () => new Set<number>());
    for (const { value } of await readTopic(brokers, `${this.options.topicPrefix}frames`)) {
      const { trackId, frame } = recordType('AuFrame').fromBuffer(value!.subarray(HEADER_BYTES)) as {
        trackId: number;
        frame: number;
      };
      tracks[trackId - 1]!.add(frame);
    }
    return tracks.map((frames) => [...frames]);
  }
}

/** The frame numbers `from` to `to − 1` of every track. */
export function everyTrack(from: number, to: number): number[][] {
  return Array.from({ length: TRACKS }, () => Array.from({ length: to - from }, (_, index) => from + index));
}
