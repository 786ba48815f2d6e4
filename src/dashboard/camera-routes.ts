import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cameraOptions } from '../camera/options.ts';
import type { CameraControl } from '../ingest/host/cameras.ts';
import { log } from '../log.ts';
import type { Refusal } from './protocol.ts';

const LONGEST_BODY = 8_192;

/**
 * What the page may say of a camera: nothing that makes austream read this machine's files, and no references to
 * secrets, which would go to whatever address the page names.
 */
const newCamera = cameraOptions.pick({ id: true, username: true, password: true }).extend({
  url: z
    .string()
    .regex(/^(rtsps?|onvif):\/\/[^/?#\s]+\S*$/, 'rtsp://, rtsps:// or onvif:// and the camera’s address')
    .pipe(cameraOptions.shape.url),
});

/** What is missing is as wrong as what is empty, and says so in the same words. */
const EMPTY = { id: '', url: '' };

/** `POST /cameras` adds one, `DELETE /cameras/ID` removes one; only for austream's own page, and for programs. */
export function serveChanges(server: FastifyInstance, cameras: CameraControl): void {
  server.register(async (own) => {
    own.addHook('onRequest', refuseForeign);
    own.post('/cameras', { bodyLimit: LONGEST_BODY }, async (request, reply) => {
      const given = newCamera.safeParse({ ...EMPTY, ...(request.body as object) });
      if (!given.success) return reply.code(400).send(refusal(given.error));
      const { id } = given.data;
      if (cameras.list().some((camera) => camera.id === id))
        return reply.code(409).send({ fields: { id: 'there is a camera of this name already' } });
      await cameras.add(cameraOptions.parse(given.data));
      log.info({ cameraId: id }, `camera ${id} added through the live page`);
      return reply.code(201).send({ id });
    });
    own.delete('/cameras/:id', async (request, reply) => {
      const { id } = request.params as { id: string };
      if (!(await cameras.remove(id))) return reply.code(404).send({ error: 'there is no such camera' });
      log.info({ cameraId: id }, `camera ${id} removed through the live page`);
      return reply.code(204).send();
    });
  });
}

/**
 * Another site's page can make a browser send requests, cookie and all. It cannot set a header of its own without
 * asking first, and cannot say that it comes from here.
 */
async function refuseForeign({ headers }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const site = headers['sec-fetch-site'];
  // Over plain HTTP browsers say no more than the origin; programs say nothing.
  const own = site === undefined ? isSame(headers.origin, headers.host) : site === 'same-origin';
  if (headers['x-austream'] === undefined || !own)
    await reply.code(403).send({ error: 'only austream’s own page may change cameras' });
}

function isSame(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** What is wrong, by field; never what was given. */
function refusal({ issues }: z.ZodError): Refusal {
  const fields: Record<string, string> = {};
  for (const { path, message } of issues) fields[String(path[0] ?? '')] ??= message;
  const { '': error, ...known } = fields;
  return { ...(error === undefined ? {} : { error }), fields: known };
}
