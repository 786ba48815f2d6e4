import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cameraOptions } from '../../../src/camera/options.ts';
import { sendControlRequest } from '../../../src/control/client.ts';
import { ControlServer } from '../../../src/control/server.ts';
import type { Grant } from '../../../src/dashboard/access/access.ts';
import { serveCameraRoutes } from '../../../src/dashboard/camera-routes.ts';
import { ERROR_CODES } from '../../../src/errors.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import type { CameraControl } from '../../../src/ingest/host/camera-set.ts';
import { log } from '../../../src/log.ts';
import { parseProbeMatches } from '../../../src/onvif/discover.ts';
import { resolveCamera } from '../../../src/onvif/resolve.ts';
import { schemaText } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import { confluentHeader, SchemaRegistry } from '../../../src/records/schema-registry.ts';
import { envelope } from '../../../src/simulate/onvif/soap.ts';
import type { FuzzTarget } from '../target.ts';

log.level = 'silent';
const folder = mkdtempSync(join(tmpdir(), 'austream-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Accepts every change, and keeps nothing. */
const cameras: CameraControl = {
  add: async () => 'added',
  remove: async () => true,
  list: () => [],
  pause: async () => 'paused',
  resume: async () => 'resumed',
};

/** May do everything. */
const GRANT: Grant = {
  person: { name: 'fuzz', role: 'operate', cameras: null, credential: '' },
  session: null,
  isCurrent: () => true,
};

/** Opens a resource at the first use. */
function lazily<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => (opened ??= open());
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const controlPath = join(folder, 'control.sock');
const controlServer = lazily(() => ControlServer.open(controlPath, cameras));

export const controlSocket: FuzzTarget = {
  name: 'control socket',
  grammar: 'json',
  seeds: [
    '{"op":"list"}\n',
    '{"op":"add","cameras":[{"id":"hall","url":"rtsp://u:p@10.0.0.1/","tls":{"ca":"/x"},"analysisFps":5}]}\n',
    '{"op":"remove","ids":["hall"]}\n',
    // Finding: a regular expression that took hours (CWE-1333).
    `{"op":"add","cameras":[{"id":"x","url":"rtsp://${'a:'.repeat(2_000)}${'/'.repeat(2_000)}"}]}\n`,
  ].map((text) => Buffer.from(text)),
  quick: 1_000,
  async run(input) {
    await controlServer();
    const socket = connect(controlPath);
    // The request ends at the first line break at the end of a chunk.
    socket.end(Buffer.concat([input, Buffer.from('\n')]));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('error', () => {});
    await once(socket, 'close');
    if (answer === '') return;
    const { ok, code } = JSON.parse(answer) as { ok: boolean; code?: string };
    if (ok !== true && !Object.hasOwn(ERROR_CODES, code ?? '')) throw new TypeError(`answered ${answer}`);
  },
  close: async () => (await controlServer()).close(),
};

const answerPath = join(folder, 'answer.sock');
let controlAnswer: Buffer = Buffer.alloc(0);
const answering = lazily(async () => {
  const server = createSocketServer((socket) => socket.on('error', () => {}).end(controlAnswer));
  server.listen(answerPath);
  await once(server, 'listening');
  return server;
});

/** Answers of what listens at the socket's path, to `austream cameras`. */
export const controlAnswers: FuzzTarget = {
  name: 'answers of the control socket',
  grammar: 'json',
  seeds: [
    '{"ok":true,"cameras":[]}\n',
    '{"ok":false,"code":"ARGUMENT_INVALID","message":"no"}\n',
    'null\n',
    // Finding: `String` of an object without a primitive value.
    '{"ok":false,"code":{"toString":1},"message":"no"}\n',
  ].map((text) => Buffer.from(text)),
  quick: 1_000,
  async run(input) {
    await answering();
    controlAnswer = Buffer.concat([input, Buffer.from('\n')]);
    await sendControlRequest(answerPath, { op: 'list' });
  },
  close: async () => void (await answering()).close(),
};

const clock =
  '<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>1</tt:Hour><tt:Minute>2</tt:Minute><tt:Second>3</tt:Second></tt:Time><tt:Date><tt:Year>2024</tt:Year><tt:Month>1</tt:Month><tt:Day>2</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>';
const services =
  '<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl</tds:Namespace><tds:XAddr>http://10.0.0.1/onvif/media</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service></tds:GetServicesResponse>';
const profiles =
  '<trt:GetProfilesResponse><trt:Profiles token="main" fixed="true"><tt:Name>main</tt:Name><tt:VideoEncoderConfiguration token="v"><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution></tt:VideoEncoderConfiguration></trt:Profiles><trt:Profiles token="sub"><tt:Name>sub</tt:Name></trt:Profiles></trt:GetProfilesResponse>';
const uri =
  '<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://10.0.0.1:554/live</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>';
const fault =
  '<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang="en">no</s:Text></s:Reason></s:Fault>';
const ANSWERS = [clock, services, profiles, uri].map((body) => envelope(body));
const OPERATIONS = ['GetSystemDateAndTime', 'GetServices', 'GetProfiles', 'GetStreamUri'];
let onvifAnswer: Buffer = Buffer.alloc(0);
/** The operation whose answer is the input; the others get valid ones. */
let attacked = 0;
const device = lazily(async () => {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const operation = OPERATIONS.findIndex((name) => body.includes(`<${name}`));
      response.end(operation === attacked || operation < 0 ? onvifAnswer : ANSWERS[operation]);
    });
  });
  return { server, host: await listen(server) };
});
let rounds = 0;

export const onvifAnswers: FuzzTarget = {
  name: 'ONVIF answers',
  grammar: 'xml',
  seeds: [...ANSWERS, envelope(fault), `xmlns ${'xmlns '.repeat(20_000)}`].map((text) => Buffer.from(text)),
  dictionary: ['<!DOCTYPE', '&#0;', 'xmlns', '<![CDATA[', '<s:Fault>'],
  quick: 600,
  async run(input) {
    const { host } = await device();
    onvifAnswer = input;
    const named = OPERATIONS.findIndex((name) => input.includes(`${name}Response`));
    attacked = named < 0 ? rounds++ % OPERATIONS.length : named;
    const { camera } = await resolveCamera(
      cameraOptions.parse({ id: 'cam', url: `onvif://u:c4n4ry@${host}` }),
    );
    if (new URL(camera.url.replace(/^rtsps?/, 'http')).hostname !== '127.0.0.1')
      throw new TypeError(`the stream is at ${camera.url}`);
  },
  close: async () => void (await device()).server.close(),
};

const matches = {
  probeMatches: {
    probeMatch: {
      endpointReference: { address: 'urn:uuid:1' },
      scopes: 'onvif://www.onvif.org/name/Lobby%20west onvif://www.onvif.org/hardware/X',
      XAddrs: 'http://10.0.0.1/onvif/device_service http://192.168.0.1:8080/',
    },
  },
};

/** Answers to a probe, as the library parses them. */
export const probeMatches: FuzzTarget = {
  name: 'WS-Discovery answers',
  grammar: 'json',
  seeds: [matches, { probeMatches: { probeMatch: [matches.probeMatches.probeMatch, null, 'x'] } }].map(
    (value) => Buffer.from(JSON.stringify(value)),
  ),
  dictionary: ['http://', '%zz', '%', 'onvif://www.onvif.org/name/'],
  run(input) {
    let value: unknown;
    try {
      value = JSON.parse(input.toString());
    } catch {
      return;
    }
    for (const { url, id, name } of parseProbeMatches(value, '10.0.0.1'))
      if (!url.startsWith('onvif://10.0.0.1') || /\p{C}/u.test(`${id}${name}`)) throw new TypeError(url);
  },
};

let registryAnswer: Buffer = Buffer.alloc(0);
const registry = lazily(async () => {
  const server = createServer((_, response) => response.end(registryAnswer));
  const client = new SchemaRegistry({ url: `http://${await listen(server)}`, timeoutSeconds: 30 });
  return { server, client, decoder: new RecordDecoder(client) };
});

export const registryAnswers: FuzzTarget = {
  name: 'schema registry answers',
  grammar: 'json',
  seeds: [
    JSON.stringify({ schema: schemaText('AuActivation') }),
    JSON.stringify({ schema: schemaText('CameraStatus') }),
    '{"schema":"\\"string\\""}',
    '{"error_code":40403,"message":"no"}',
    '{"id":5}',
    '{"schema":5}',
  ].map((text) => Buffer.from(text)),
  dictionary: ['\\"type\\":', '\\"null\\"', '\\"array\\"', '\\"items\\":', 'austream.AuFrame', '\\"fixed\\"'],
  quick: 1_000,
  async run(input) {
    const { client, decoder } = await registry();
    registryAnswer = input;
    // Another id each time: answers are cached.
    const message = Buffer.concat([confluentHeader(rounds++), Buffer.alloc(64, 2)]);
    await Promise.resolve(decoder.decode(message)).catch((error: Error) => {
      // Each call must fail alone, and as an AustreamError.
      if (error.name !== 'AustreamError' && error.name !== 'PoisonError') throw error;
    });
    const { id } = await client.lookup(`subject ${rounds}`, '"string"');
    if (id !== null) confluentHeader(id);
  },
  close: async () => void (await registry()).server.close(),
};

const page = lazily(async () => {
  const server = createHttpServer({ host: '127.0.0.1', port: 0 });
  server.decorateRequest('grant', null);
  server.addHook('onRequest', async (request) => {
    request.grant = GRANT;
  });
  serveCameraRoutes(server, cameras);
  await server.ready();
  return server;
});

export const cameraRoutes: FuzzTarget = {
  name: 'HTTP camera routes',
  grammar: 'json',
  seeds: [
    '{"id":"hall","url":"rtsp://10.0.0.1/"}',
    '{"id":"hall","url":"onvif://10.0.0.1","username":"u","password":"p","auth":"digest"}',
    `{"id":"hall","url":"rtsp://${'a:'.repeat(1_000)}${'/'.repeat(1_000)}"}`,
  ].map((text) => Buffer.from(text)),
  quick: 1_000,
  async run(input) {
    const { statusCode, body } = await (await page()).inject({
      method: 'POST',
      url: '/cameras',
      headers: { 'content-type': 'application/json', 'x-austream': '1', host: '127.0.0.1' },
      payload: input,
    });
    if (![201, 400, 413].includes(statusCode)) throw new TypeError(`HTTP ${statusCode}: ${body}`);
  },
  close: async () => (await page()).close(),
};
