import { createHmac, randomBytes } from 'node:crypto';

/**
 * The fields that a log line may have. None is about a user: logs are kept, shipped and read by people who have no business with one
 * person's data. A field that is not listed here shows up as `[redacted]`, so that a new one is a decision and not an accident.
 */
const ALLOWED = new Set([
  ...['level', 'time', 'pid', 'hostname', 'msg', 'err', 'app', 'version', 'stage', 'client', 'provider', 'address', 'url'],
  ...[
    'topic',
    'partition',
    'partitions',
    'offset',
    'position',
    'end',
    'generation',
    'generationId',
    'groupId',
    'state',
    'records',
    'rows',
    'bytes',
  ],
  ...['reason', 'code', 'class', 'channel', 'journey', 'step', 'topology', 'topologyHash', 'attempt', 'count', 'seconds', 'ms', 'signal'],
  ...['subject', 'schemaId', 'user', 'worker', 'workers'],
]);

export const REDACTED = '[redacted]';

/** For pino's `formatters.log`. */
export function allowedFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, ALLOWED.has(name) ? plain(name, value) : REDACTED]));
}

/** An object could carry anything along: only errors may be one, and of those type, code, message and stack. */
function plain(name: string, value: unknown): unknown {
  if (value instanceof Error) {
    const code = 'code' in value ? { code: String(value.code) } : {};
    return { type: value.name, message: value.message, ...code, stack: value.stack };
  }
  if (name === 'user') return typeof value === 'string' && USER_REF.test(value) ? value : REDACTED;
  return typeof value === 'object' && value !== null ? REDACTED : value;
}

const USER_REF = /^u-[0-9a-f]{16}$/;

/**
 * What stands for a user in a log line: the same for all lines, and of no use to whoever does not have the key. Ids are often
 * numbers or addresses, which a bare hash would not hide. Without a key it differs from process to process.
 */
export function createUserRef(key: string | Buffer = randomBytes(32)): (userId: string) => string {
  return (userId) => `u-${createHmac('sha256', key).update(userId).digest('hex').slice(0, 16)}`;
}
