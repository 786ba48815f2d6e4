import { connect } from 'node:net';
import { AustreamError, ERROR_CODES } from '../errors.ts';
import { printable } from '../printable.ts';
import { checkSocketOwner } from './options.ts';
import {
  type ControlRequest,
  type ControlResponse,
  type ControlResults,
  MAX_RESPONSE_LENGTH,
} from './protocol.ts';

/** Timeout without any byte from the server, which sends keep-alives while it applies a change. */
const SILENCE_TIMEOUT_MS = 30_000;

/**
 * Sends one request to the austream that listens at a socket. Throws CONTROL_UNREACHABLE, PREREQUISITE_MISSING if another
 * user may be listening there, or the error it responds with.
 */
export async function sendControlRequest<Op extends keyof ControlResults>(
  path: string,
  request: ControlRequest & { op: Op },
): Promise<ControlResults[Op]> {
  checkSocketOwner(path);
  const response = parseResponse<Op>(path, await exchange(path, `${JSON.stringify(request)}\n`));
  if (!response.ok)
    throw new AustreamError(
      response.code,
      printable(response.message),
      response.fix ? { fix: printable(String(response.fix)) } : {},
    );
  return response;
}

/** Another program may listen at the path. */
function parseResponse<Op extends keyof ControlResults>(path: string, text: string): ControlResponse<Op> {
  let response: { ok?: unknown; code?: unknown; message?: unknown } | null = null;
  try {
    response = JSON.parse(text);
  } catch {
    // As for any other answer that is none.
  }
  const isFailure =
    response?.ok === false &&
    typeof response.message === 'string' &&
    typeof response.code === 'string' &&
    Object.hasOwn(ERROR_CODES, response.code);
  if (response?.ok === true || isFailure) return response as unknown as ControlResponse<Op>;
  throw new AustreamError('CONTROL_UNREACHABLE', `what answers at ${path} is no austream`, {
    fix: 'give the socket of austream with --socket or -c',
  });
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string, cause?: unknown) =>
      reject(
        new AustreamError('CONTROL_UNREACHABLE', `no austream answers at ${path}: ${why}`, {
          fix: 'start austream run as this user, or give its socket with --socket or -c',
          cause,
        }),
      );
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding('utf8').setTimeout(SILENCE_TIMEOUT_MS, () => {
      socket.destroy();
      fail(`no response within ${SILENCE_TIMEOUT_MS / 1000} s`);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length <= MAX_RESPONSE_LENGTH) return;
      socket.destroy();
      fail('the response is too long');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error));
    socket.on('end', () =>
      text.endsWith('\n') ? resolve(text) : fail('the connection closed without a response'),
    );
  });
}
