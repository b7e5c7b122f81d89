import { destination, pino, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { allowedFields } from './log-fields.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured lines: fields first, as in pino. Fields that are not in `log-fields.ts` are redacted. Messages must not name users. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** The last line of a process that ends by an error. */
  fatal(fields: object, message: string): void;
  /** The same logger with these fields in each line. */
  child(fields: Record<string, string | number>): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Default `stderrLines()`. */
  readonly to?: LineSink;
}

/** Takes whole lines, each with its newline. */
export type LineSink = DestinationStream;

/** stderr, because stdout is for results. Written at once, so that the last line before an exit is there. */
export function stderrLines(): LineSink {
  return destination({ fd: 2, sync: true });
}

export function createLogger({ level, to = stderrLines() }: LoggerOptions): Logger {
  const root = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: allowedFields },
      // Errors are reduced by `allowedFields`, before pino's own serializer would copy all that hangs on them.
      serializers: { err: (value: unknown) => value },
    },
    to,
  );
  return wrap(root);
}

/** Pino does not format what a child is bound to: that is done here, or it would be a way around the list. */
function wrap(inner: PinoLogger): Logger {
  return {
    debug: (fields, message) => inner.debug(fields, message),
    info: (fields, message) => inner.info(fields, message),
    warn: (fields, message) => inner.warn(fields, message),
    error: (fields, message) => inner.error(fields, message),
    fatal: (fields, message) => inner.fatal(fields, message),
    child: (fields) => wrap(inner.child(allowedFields(fields))),
  };
}

const nothing = (): void => undefined;

/** The null twin. */
export const noLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing, child: () => noLogger };
