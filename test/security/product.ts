import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { DEMO_CLIP, descendantsOf } from '../e2e/austream.ts';
import { faceFrames, writeClip } from '../e2e/clips.ts';
import { TracedAustream } from './traced.ts';

/** One value for each kind of secret that a config can hold. */
export const SECRETS = {
  'camera, right (passwordFile, variable, ONVIF)': 'c4nary-camera/7@ä',
  'camera, wrong, in the URL': 'c4nary-url-8:+',
  'http.token': 'c4nary-token-0123456789',
  'token of a person': 'c4nary-alice-0123456789',
  'token of a person, in a file': 'c4nary-bob-0123456789',
  'SASL password': 'c4nary-sasl-9',
  'SASL password, wrong': 'c4nary-sasl-wrong',
  'registry password': 'c4nary-registry-1',
  'OAuth client secret': 'c4nary-oauth-2',
  'passphrase of the TLS key': 'c4nary-key-3',
} as const;
const CAMERA_PASSWORD = SECRETS['camera, right (passwordFile, variable, ONVIF)'];

/**
 * Every command of austream, once, against real peers on loopback: a simulated camera with a password, a Kafka broker with
 * SASL, a receiver of telemetry. What each command did, printed and wrote is kept for the tests.
 */
export class Product {
  readonly #folder: string;
  readonly #servers: Server[] = [];
  readonly commands = new Map<string, TracedAustream>();
  /** Everything that left the product, by name, beside what the commands printed and wrote. */
  readonly outputs = new Map<string, Buffer>();
  /** `address:port` by name. */
  readonly addresses: Record<'camera' | 'device' | 'broker' | 'sasl' | 'otlp' | 'echo', string> = {
    ...{ camera: '', device: '', broker: '', sasl: '', otlp: '', echo: '' },
  };
  /** Raw crops, as the live page gets them with --show-video. */
  crops: Buffer[] = [];
  broker: KafkaBroker | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  start(name: string, ...args: readonly string[]): TracedAustream {
    const command = new TracedAustream(this.path(name), args, {
      LOBBY_PASSWORD: CAMERA_PASSWORD,
      ...(name === 'run' && {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${this.addresses.otlp}`,
        OTEL_TRACES_SAMPLER: 'always_on',
      }),
    });
    this.commands.set(name, command);
    return command;
  }

  /** Runs a command to its end. `code`: null accepts any exit code. */
  async run(name: string, args: readonly string[], code: number | null = 0): Promise<void> {
    const command = this.start(name, ...args);
    const exit = await command.exited;
    if (code !== null && exit !== code) throw new Error(`${name} exited with ${exit}:\n${command.stderr}`);
    if (code === null && exit === 0) throw new Error(`${name} should have failed`);
  }

  config(name: string, content: object): string {
    const file = this.path(`${name}.yaml`);
    writeFileSync(
      file,
      stringify({ log: { level: 'debug' }, control: { socket: this.path(`${name}.sock`) }, ...content }),
    );
    return file;
  }

  /** The config of `run`. The second camera's password is wrong; the third is asked for its stream by ONVIF. */
  runConfig(httpPort: number): string {
    writeFileSync(this.path('password'), CAMERA_PASSWORD);
    writeFileSync(this.path('bob'), SECRETS['token of a person, in a file']);
    const wrong = encodeURIComponent(SECRETS['camera, wrong, in the URL']);
    const url = `rtsp://${this.addresses.camera}/cam1`;
    return this.config('run', {
      cameras: [
        { id: 'lobby', url, username: 'viewer', passwordFile: this.path('password'), analysisFps: 5 },
        { id: 'door', url: url.replace('//', `//viewer:${wrong}@`) },
        {
          id: 'device',
          url: `onvif://${this.addresses.device}`,
          username: 'viewer',
          password: CAMERA_PASSWORD,
          analysisFps: 1,
        },
      ],
      kafka: {
        brokers: [this.addresses.broker],
        topics: { partitions: 1 },
        spool: { dir: this.path('spool') },
      },
      ingest: { maxCameras: 8, statusSeconds: 1 },
      http: { port: httpPort, token: SECRETS['http.token'] },
      dashboard: {
        users: [
          { name: 'alice', role: 'operate', token: SECRETS['token of a person'] },
          { name: 'bob', role: 'view', tokenFile: this.path('bob') },
        ],
      },
    });
  }

  /** The config of `ingest` and `infer`. */
  workerConfig(): string {
    return this.config('worker', {
      cameras: [
        {
          id: 'lobby',
          url: `rtsp://${this.addresses.camera}/cam1`,
          username: 'viewer',
          password: '${LOBBY_PASSWORD}',
          analysisFps: 5,
        },
      ],
      kafka: { ...this.#kafka(SECRETS['SASL password']), topicPrefix: 'c.', topics: { partitions: 1 } },
      control: { socket: null },
      ingest: { maxCameras: 8, statusSeconds: 1 },
    });
  }

  #kafka(password: string): object {
    return { brokers: [this.addresses.sasl], sasl: { mechanism: 'PLAIN', username: 'austream', password } };
  }

  /** The config of `doctor` and `check`: a device that is asked for its stream. */
  deviceConfig(): string {
    return this.config('device', {
      cameras: [
        {
          id: 'device',
          url: `onvif://${this.addresses.device}`,
          username: 'viewer',
          password: CAMERA_PASSWORD,
        },
        {
          id: 'door',
          url: `rtsp://viewer:${encodeURIComponent(SECRETS['camera, wrong, in the URL'])}@127.0.0.1:9/cam1`,
        },
      ],
      kafka: this.#kafka(SECRETS['SASL password']),
    });
  }

  /** Configs with which a peer refuses; by name. The peer echoes what it was sent. */
  refusedConfigs(): Record<string, string> {
    const file = (name: string) => this.path(name);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-passout',
      'pass:another',
      '-keyout',
      file('key.pem'),
      '-out',
      file('cert.pem'),
      '-subj',
      '/CN=test',
    );
    const cameras = [{ id: 'clip', url: `file://${DEMO_CLIP}` }];
    const echo = `http://${this.addresses.echo}`;
    const kafka: Record<string, object> = {
      registry: {
        brokers: [this.addresses.broker],
        registry: { url: echo, username: 'austream', password: SECRETS['registry password'] },
      },
      sasl: this.#kafka(SECRETS['SASL password, wrong']),
      oauth: {
        brokers: [this.addresses.sasl],
        sasl: {
          mechanism: 'OAUTHBEARER',
          tokenEndpoint: `${echo}/token`,
          clientId: 'austream',
          clientSecret: SECRETS['OAuth client secret'],
        },
      },
      tls: {
        brokers: [this.addresses.sasl],
        tls: {
          certificate: file('cert.pem'),
          key: file('key.pem'),
          keyPassword: SECRETS['passphrase of the TLS key'],
        },
      },
    };
    return Object.fromEntries(
      Object.entries(kafka).map(([name, options]) => [
        name,
        this.config(name, { cameras, kafka: { connectSeconds: 4, topicPrefix: `${name}.`, ...options } }),
      ]),
    );
  }

  /** Starts the peers, and the simulated camera as a command of austream. */
  async startPeers(): Promise<void> {
    const module = 'org.apache.kafka.common.security';
    const login = {
      plain: `user_austream="${SECRETS['SASL password']}"`,
      oauthbearer: 'unsecuredLoginStringClaim_sub="broker"',
    };
    this.broker = await KafkaBroker.start({
      secured: 'SASL_PLAINTEXT',
      properties: {
        'sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required ${login.plain};`,
        'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config': `${module}.oauthbearer.OAuthBearerLoginModule required ${login.oauthbearer};`,
      },
    });
    const bodies: Buffer[] = [];
    const otlp = await this.#server((body) => {
      bodies.push(body);
      this.outputs.set('OTLP', Buffer.concat(bodies));
      return '';
    });
    // Answers 401 with all that it was sent, the decoded password included, as some proxies do.
    const echo = await this.#server(
      (body, authorization) => `${authorization} ${Buffer.from(authorization.slice(6), 'base64')} ${body}`,
      401,
    );
    const simulator = this.start(
      'simulate',
      'simulate',
      DEMO_CLIP,
      '--port',
      '0',
      '--user',
      'viewer',
      '--password',
      CAMERA_PASSWORD,
      '--onvif',
      '--onvif-port',
      '0',
      '--json',
    );
    await simulator.until(() => simulator.lines.length > 0);
    const hostOf = (url: string) => /\/\/([^/]+)/.exec(url)![1]!;
    const { urls, onvif } = simulator.lines[0]! as unknown as { urls: string[]; onvif: string[] };
    Object.assign(this.addresses, {
      ...{ camera: hostOf(urls[0]!), device: /127\.0\.0\.1:\d+/.exec(JSON.stringify(onvif))![0] },
      ...{ broker: this.broker.address, sasl: this.broker.secured, otlp, echo },
    });
  }

  async #server(answer: (body: Buffer, authorization: string) => string, code = 200): Promise<string> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.writeHead(code).end(answer(Buffer.concat(chunks), request.headers.authorization ?? ''));
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Keeps arguments of all processes of a command, and the environment of those that it started. */
  async keepProcesses(name: string): Promise<void> {
    const [main, ...children] = await descendantsOf(this.commands.get(name)!.process.pid!);
    for (const [index, pid] of [main!, ...children].entries())
      for (const kind of index === 0 ? ['cmdline'] : ['cmdline', 'environ'])
        try {
          this.outputs.set(`${name}: ${kind} of process ${index}`, readFileSync(`/proc/${pid}/${kind}`));
        } catch {
          // It has ended meanwhile.
        }
  }

  /** A clip of a few frames, for `score`. */
  clip(): string {
    return writeClip(this.#folder, 'short.mp4', faceFrames(20));
  }

  async freePort(): Promise<number> {
    return (await freePorts(1))[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.commands.values()].map((command) => command[Symbol.asyncDispose]()));
    for (const server of this.#servers) server.close();
    await this.broker?.stop();
  }
}
