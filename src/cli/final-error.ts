import { CommandError, UsageError } from './errors.ts';
import type { Logger } from '../telemetry/logger.ts';

const logged = new WeakSet<Error>();

/** What a person reads of an error that ends a command: a line per problem where we wrote the message, one line of anybody else's. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Where it came from is for those who ask.
  if (process.env['LULL_DEBUG'] === '1') return error.stack ?? error.message;
  return isOurs(error) ? error.message : error.message.split('\n')[0]!;
}

/**
 * The end of a command that has begun to log is one more line of its log: what reads logs reads nothing else. What is wrong before that (command line,
 * configuration, topology, credentials) stays text for people.
 */
export function logFatal(logger: Logger, error: unknown, fields: { readonly worker?: number } = {}): void {
  logger.fatal(isDefect(error) ? { ...fields, err: error } : fields, messageOf(error));
  markLogged(error);
}

/** For an error that somebody else logs. */
export function markLogged(error: unknown): void {
  if (error instanceof Error) logged.add(error);
}

export function isLogged(error: unknown): boolean {
  return error instanceof Error && logged.has(error);
}

/** An error that nobody gave a name: where it came from is worth more than what it says. */
function isDefect(error: unknown): boolean {
  return error instanceof Error && [Error, TypeError, RangeError, ReferenceError].some((type) => error.constructor === type);
}

function isOurs(error: Error): boolean {
  return error instanceof UsageError || error instanceof CommandError;
}
