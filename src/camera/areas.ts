import { z } from 'zod';
import { type Polygon, polygonIssue } from '../domain/polygon.ts';
import { identifier } from './identifier.ts';

const MAX_AREAS = 32;
const MAX_POINTS = 64;

const fraction = z.number().min(0).max(1);
/** Corners as [x, y] in fractions of the picture: [0, 0] is its top left corner, [1, 1] its bottom right one. */
const polygon = z
  .array(z.tuple([fraction, fraction]))
  .max(MAX_POINTS)
  .superRefine((corners, context) => {
    const issue = polygonIssue(corners);
    if (issue !== null) context.addIssue({ code: 'custom', message: issue });
  });

/** Areas of one camera's picture. */
export const areaOptions = z.strictObject({
  /** A face whose centre lies in a mask is neither measured nor cropped, and gives no event. */
  masks: z.array(polygon).max(MAX_AREAS).default([]),
  /** Events name the zones in which the centre of the face lies. */
  zones: z
    .array(
      z.strictObject({
        id: identifier,
        polygon,
      }),
    )
    .max(MAX_AREAS)
    .superRefine((zones, context) => {
      zones.forEach(({ id }, index) => {
        const first = zones.findIndex((zone) => zone.id === id);
        if (first < index)
          context.addIssue({
            code: 'custom',
            path: [index, 'id'],
            message: `is also the id of zones[${first}]; ids must differ`,
          });
      });
    })
    .default([]),
});

export interface CameraAreas {
  readonly masks: readonly Polygon[];
  readonly zones: readonly { readonly id: string; readonly polygon: Polygon }[];
}

export const NO_AREAS: CameraAreas = { masks: [], zones: [] };
