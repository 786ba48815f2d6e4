import { z } from 'zod';

export const httpOptions = z.strictObject({
  host: z.string().default('127.0.0.1'),
  /** 0: any free port; null: no server. */
  port: z.number().int().min(0).max(65_535).nullable().default(null),
  /** Access token of the live page; required when `host` is not a loopback address. */
  token: z.string().min(16, 'must have 16 characters or more').optional(),
});
export type HttpOptions = z.output<typeof httpOptions>;
