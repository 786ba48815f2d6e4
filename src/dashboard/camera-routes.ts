import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cameraOptions } from '../camera/options.ts';
import type { CameraControl } from '../ingest/host/camera-set.ts';
import { log } from '../log.ts';
import type { CameraRequestError } from './protocol.ts';

const MAX_BODY_BYTES = 8_192;

/**
 * The camera options that the page may set. Options that read files of this machine or refer to secrets are excluded:
 * the page also chooses the address to which the secret would be sent.
 */
const newCamera = cameraOptions.pick({ id: true, username: true, password: true }).extend({
  url: z
    .string()
    .regex(/^(rtsps?|onvif):\/\/[^/?#\s]+\S*$/, 'rtsp://, rtsps:// or onvif:// and the camera’s address')
    .pipe(cameraOptions.shape.url),
});

/** A missing field gets the same message as an empty one. */
const EMPTY = { id: '', url: '' };

/** `POST /cameras` adds a camera, `DELETE /cameras/ID` removes one. Pages of other sites are refused (403). */
export function serveCameraRoutes(server: FastifyInstance, cameras: CameraControl): void {
  server.register(async (routes) => {
    routes.addHook('onRequest', refuseOtherOrigins);
    routes.post('/cameras', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
      const parsed = newCamera.safeParse({ ...EMPTY, ...(request.body as object) });
      if (!parsed.success) return reply.code(400).send(requestError(parsed.error));
      const { id } = parsed.data;
      if (cameras.list().some((camera) => camera.id === id))
        return reply.code(409).send({ fields: { id: 'a camera with this name already exists' } });
      await cameras.add(cameraOptions.parse(parsed.data), 'page');
      log.info({ cameraId: id }, `camera ${id} added through the live page`);
      return reply.code(201).send({ id });
    });
    routes.delete('/cameras/:id', async (request, reply) => {
      const { id } = request.params as { id: string };
      if (!(await cameras.remove(id))) return reply.code(404).send({ error: 'no camera with this name' });
      log.info({ cameraId: id }, `camera ${id} removed through the live page`);
      return reply.code(204).send();
    });
  });
}

/**
 * Protects against cross-site request forgery. A page of another site can make the browser send a request with our
 * cookie, but it cannot add a custom header without a CORS preflight, and it cannot forge its origin.
 */
async function refuseOtherOrigins({ headers }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const site = headers['sec-fetch-site'];
  // Over plain HTTP browsers send only Origin; programs send neither header.
  const sameOrigin = site === undefined ? isSameHost(headers.origin, headers.host) : site === 'same-origin';
  if (headers['x-austream'] === undefined || !sameOrigin)
    await reply.code(403).send({ error: 'only austream’s own page may change cameras' });
}

function isSameHost(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** The messages by field, without the values: they may be secret. */
function requestError({ issues }: z.ZodError): CameraRequestError {
  const fields: Record<string, string> = {};
  for (const { path, message } of issues) fields[String(path[0] ?? '')] ??= message;
  const { '': error, ...known } = fields;
  return { ...(error === undefined ? {} : { error }), fields: known };
}
