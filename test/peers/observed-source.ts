import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Ledger } from '../torture/ledger.ts';
import type { SourceReport } from '../torture/source.ts';

const SOURCE = fileURLToPath(new URL('../torture/source.ts', import.meta.url));
const CAMERAS = 4;
const TRACKS = 2;
const FPS = 25;
/** Frames that the source publishes in a second. */
export const FRAMES_PER_SECOND = CAMERAS * TRACKS * FPS;

interface AnyEvent {
  readonly cameraId: string;
  readonly trackId: number;
  readonly frame?: number;
  readonly activationId?: string;
}

/** A process that publishes events steadily, and the ledger of what it published, said and delivered. */
export class ObservedSource {
  readonly ledger = new Ledger(CAMERAS * TRACKS);
  /** What the publisher said about its connection and topics. */
  readonly messages: string[] = [];
  /** Events that are not acknowledged yet. */
  pending = 0;
  readonly #process: ChildProcess;
  readonly #stopped = Promise.withResolvers<string | null>();

  constructor(kafka: object) {
    const args = { kafka, cameras: CAMERAS, tracks: TRACKS, fps: FPS, from: 0 };
    this.#process = fork(SOURCE, [JSON.stringify(args)]);
    this.#process.on('message', (message: { report?: SourceReport; stopped?: true; failure?: string }) => {
      if (message.report) this.#report(message.report);
      if (message.stopped) this.#stopped.resolve(message.failure ?? null);
    });
    this.#process.on('exit', (code) => this.#stopped.reject(new Error(`the source ended: ${code}`)));
    this.#stopped.promise.catch(() => {});
    this.#process.send({ run: true });
  }

  #report({ published, acknowledged, dropped, messages, stats }: SourceReport): void {
    this.ledger.published = published;
    for (let index = 0; index < acknowledged.length; index += 2)
      this.ledger.acknowledged(acknowledged[index]!, acknowledged[index + 1]!, performance.now());
    for (const [, count, cause] of dropped) this.ledger.told(count, cause);
    this.messages.push(...messages);
    this.pending = (stats as { pending: number }).pending;
  }

  /** An AuFrame or AuActivation was received at this place. */
  received(event: AnyEvent, topic: string, partition: number): void {
    const track = Number(event.cameraId.slice(1)) * TRACKS + event.trackId - 1;
    const place =
      event.activationId === undefined
        ? { kind: 'frame' as const, track, frame: event.frame! }
        : { kind: 'activation' as const, track, frame: Number(event.activationId.split('/').at(-1)) };
    this.ledger.received(place, { topic, partition, generation: 0 });
  }

  /** The source flushes and ends. Null, or why events are left. */
  async stop(): Promise<string | null> {
    this.#process.send({ stop: 120_000 });
    return await this.#stopped.promise;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
