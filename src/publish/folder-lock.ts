import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { AustreamError } from '../errors.ts';

/**
 * Takes a folder for this process alone; throws SPOOL_UNUSABLE where another one has it. The lock is a socket in
 * Linux's abstract namespace: it ends with the process, however that ends, and no stale file can block the next.
 * (Processes in different network namespaces do not see each other's.)
 */
export function lockFolder(dir: string): Promise<Server> {
  const { dev, ino } = statSync(dir);
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause);
      reject(
        new AustreamError('SPOOL_UNUSABLE', `the spool ${dir} is in use by another process`, {
          fix: 'give each austream a kafka.spool.dir of its own',
          cause,
        }),
      );
    });
    server.listen(`\0austream-spool-${dev}-${ino}`, () => resolve(server.unref()));
  });
}
