import { z } from 'zod';
import { cameraId } from '../camera/options.ts';
import { accessToken } from '../http/options.ts';

/** Names in the log of those who are no entry of `users`. */
const RESERVED_NAMES = ['link', 'http.token', 'everyone'];

const userOptions = z
  .strictObject({
    /** Shown on the page and in the log beside what the person did. */
    name: z
      .string()
      .regex(
        /^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u,
        'letters, digits, spaces and . _ @ -, at most 64 of them',
      )
      .refine((name) => !RESERVED_NAMES.includes(name), `must not be one of ${RESERVED_NAMES.join(', ')}`),
    token: accessToken.optional(),
    /** A file that holds the token; a change of the file ends the person's sessions. */
    tokenFile: z.string().min(1).optional(),
    /** `view`: see the cameras; `operate`: also change them. */
    role: z.enum(['view', 'operate']),
    /** Ids of the cameras that this person may see and change; without it: all. */
    cameras: z.array(cameraId).min(1, 'must name a camera; leave it out for all cameras').optional(),
  })
  .refine(
    (user) => (user.token === undefined) !== (user.tokenFile === undefined),
    'needs either token or tokenFile',
  );

export const dashboardOptions = z
  .strictObject({
    /** No sign-in: whoever reaches the loopback address sees and changes everything. */
    open: z.boolean().default(false),
    users: z.array(userOptions).default([]),
    sessions: z
      .strictObject({
        /** A session ends when no page was open and no request came for this long. */
        idleMinutes: z.number().positive().max(525_600).default(60),
        /** And always after this long. */
        maxHours: z.number().positive().max(8_760).default(12),
      })
      .prefault({}),
  })
  .superRefine(({ open, users }, context) => {
    if (open && users.length > 0)
      context.addIssue({
        code: 'custom',
        path: ['open'],
        message: 'lets everyone in: remove it, or remove users',
      });
    for (const key of ['name', 'token'] as const) {
      const firstIndex = new Map<string, number>();
      users.forEach((user, index) => {
        const value = user[key];
        if (value === undefined) return;
        const first = firstIndex.get(value);
        if (first === undefined) firstIndex.set(value, index);
        else
          context.addIssue({
            code: 'custom',
            path: ['users', index, key],
            message: `is also the ${key} of users[${first}]; each person needs their own`,
          });
      });
    }
  });
export type DashboardOptions = z.output<typeof dashboardOptions>;
export type UserOptions = z.output<typeof userOptions>;
