import { connect } from 'node:net';
import { AustreamError } from '../errors.ts';
import type { ControlAnswers, ControlReply, ControlRequest } from './protocol.ts';

/** Without a sign of life; there is one every few seconds while a change is being made. */
const TIMEOUT_MS = 30_000;

/** Asks the austream that listens at a socket. Throws CONTROL_UNREACHABLE where none does, or what it answers with. */
export async function askControl<Op extends keyof ControlAnswers>(
  path: string,
  request: ControlRequest & { op: Op },
): Promise<ControlAnswers[Op]> {
  const reply = JSON.parse(await exchange(path, `${JSON.stringify(request)}\n`)) as ControlReply<Op>;
  if (!reply.ok) throw new AustreamError(reply.code, reply.message, reply.fix ? { fix: reply.fix } : {});
  return reply;
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string, cause?: unknown) =>
      reject(
        new AustreamError('CONTROL_UNREACHABLE', `no austream answers at ${path}: ${why}`, {
          fix: 'start austream run as this user, or name its socket with --socket or -c',
          cause,
        }),
      );
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding('utf8').setTimeout(TIMEOUT_MS, () => {
      socket.destroy();
      fail('it takes too long');
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error));
    socket.on('end', () => (text.endsWith('\n') ? resolve(text) : fail('it went away')));
  });
}
