/** Writes a line to the log. A parameter, so that reporters can be tested without a log. */
export type Say = (level: 'info' | 'warn', fields: object, text: string) => void;
