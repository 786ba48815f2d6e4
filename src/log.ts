import pino, { type Logger } from 'pino';

/** Log lines are JSON on standard error; standard output belongs to what a command was asked for. */
export const log: Logger = pino({ level: 'info', base: { name: 'austream' } }, pino.destination(2));
