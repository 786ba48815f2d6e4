import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NO_AREAS } from '../camera/areas.ts';
import { cameraOptions } from '../camera/options.ts';
import type { CameraControl } from '../ingest/host/camera-set.ts';
import { audit, personOf } from './access/guard.ts';
import { maySee } from './access/person.ts';
import type { CameraRequestError } from './protocol.ts';

/**
 * The camera options that the page may set. Options that read files of this machine or refer to secrets are excluded:
 * the page also chooses the address to which the secret would be sent.
 */
const newCamera = cameraOptions.pick({ id: true, username: true, password: true, auth: true }).extend({
  url: z
    .string()
    .regex(/^(rtsps?|onvif):\/\/[^/?#\s]+\S*$/, 'rtsp://, rtsps:// or onvif:// and the camera’s address')
    .pipe(cameraOptions.shape.url),
});

/** A missing field gets the same message as an empty one. */
const EMPTY = { id: '', url: '' };

/**
 * `POST /cameras` adds a camera, `DELETE /cameras/ID` removes one, `POST /cameras/ID/pause` and `/resume` pause it.
 * `GET /cameras/ID/areas`: its masks and zones.
 */
export function serveCameraRoutes(routes: FastifyInstance, cameras: CameraControl): void {
  const operate = { config: { role: 'operate' } } as const;
  routes.post('/cameras', operate, async (request, reply) => {
    const parsed = newCamera.safeParse({ ...EMPTY, ...(request.body as object) });
    if (!parsed.success) return reply.code(400).send(requestError(parsed.error));
    const { id } = parsed.data;
    if (!maySee(personOf(request), id))
      return reply.code(403).send({ fields: { id: 'you may not have a camera with this name' } });
    if (cameras.list().some((camera) => camera.id === id))
      return reply.code(409).send({ fields: { id: 'a camera with this name already exists' } });
    await cameras.add(cameraOptions.parse(parsed.data), 'page');
    audit(request, id, 'added');
    return reply.code(201).send({ id });
  });
  routes.delete('/cameras/:cameraId', operate, async (request, reply) => {
    const { cameraId } = request.params as { cameraId: string };
    if (!(await cameras.remove(cameraId))) return reply.code(404).send({ error: 'no camera with this name' });
    audit(request, cameraId, 'removed');
    return reply.code(204).send();
  });
  for (const action of ['pause', 'resume'] as const)
    routes.post(`/cameras/:cameraId/${action}`, operate, async (request, reply) => {
      const { cameraId } = request.params as { cameraId: string };
      const change =
        action === 'pause' ? await cameras.pause(cameraId, 'the live page') : await cameras.resume(cameraId);
      if (change === null) return reply.code(404).send({ error: 'no camera with this name' });
      audit(request, cameraId, `${action}d`);
      return reply.code(200).send({ change });
    });
  routes.get('/cameras/:cameraId/areas', { config: { role: 'view' } }, (request, reply) => {
    const { cameraId } = request.params as { cameraId: string };
    // The status of a camera that was just removed may still be on the page.
    const camera = cameras.list().find(({ id }) => id === cameraId);
    return reply.send(camera?.areas ?? NO_AREAS);
  });
}

/** The messages by field, without the values: they may be secret. */
function requestError({ issues }: z.ZodError): CameraRequestError {
  const fields: Record<string, string> = {};
  for (const { path, message } of issues) fields[String(path[0] ?? '')] ??= message;
  const { '': error, ...known } = fields;
  return { ...(error === undefined ? {} : { error }), fields: known };
}
