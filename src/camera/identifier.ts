import { z } from 'zod';

/** Id of a camera or zone. No slash: topic keys and event ids join it with other parts by slashes. */
export const identifier = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'letters, digits, dot, dash and underscore, at most 64 of them',
  );
