import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createUserRef } from '../../src/telemetry/log-fields.ts';
import { createLogger, noLogger } from '../../src/telemetry/logger.ts';
import type { LogLevel } from '../../src/telemetry/logger.ts';

function logged(write: (logger: ReturnType<typeof createLogger>) => void, level: LogLevel = 'debug'): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ level, to: { write: (line) => lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  it('is one JSON object a line, with level, time and fields', () => {
    const [line] = logged((logger) => logger.warn({ stage: 'processor', partition: 3 }, 'fenced'));
    expect(line).toMatchObject({ level: 'warn', stage: 'processor', partition: 3, msg: 'fenced', pid: process.pid });
    expect(line!['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('shows no field that was not decided on, in lines and in children', () => {
    const lines = logged((logger) => {
      logger.info({ userId: 'ada@example.com', stage: 'x', endpoint: 'https://push.example/abc' }, 'sent');
      logger.child({ stage: 'x', token: 'abc' }).info({ value: { deep: 'ada@example.com' } }, 'sent');
      logger.info({ reason: { userId: 'ada@example.com' }, url: ['ada@example.com'] }, 'an object under an allowed name');
    });
    expect(lines[0]).toMatchObject({ userId: '[redacted]', endpoint: '[redacted]', stage: 'x' });
    expect(lines[1]).toMatchObject({ token: '[redacted]', value: '[redacted]', stage: 'x' });
    expect(lines[2]).toMatchObject({ reason: '[redacted]', url: '[redacted]' });
    expect(JSON.stringify(lines)).not.toMatch(/ada|abc/);
  });

  it('shows of an error its type, code, message and stack, and nothing that hangs on it', () => {
    const error = Object.assign(new TypeError('boom'), { code: 'E_BOOM', request: { userId: 'ada@example.com' } });
    const [line] = logged((logger) => logger.error({ err: error }, 'failed'));
    expect(line!['err']).toEqual({ type: 'TypeError', code: 'E_BOOM', message: 'boom', stack: error.stack });
  });

  it('names a user only by a reference that needs a key', () => {
    const userRef = createUserRef('secret');
    const [ref, bare] = logged((logger) => {
      logger.info({ user: userRef('ada@example.com') }, 'sent');
      logger.info({ user: 'ada@example.com' }, 'sent');
    });
    expect(ref!['user']).toMatch(/^u-[0-9a-f]{16}$/);
    expect(bare!['user']).toBe('[redacted]');
    expect(createUserRef('secret')('ada@example.com')).toBe(userRef('ada@example.com'));
    expect(createUserRef('other')('ada@example.com')).not.toBe(userRef('ada@example.com'));
    expect(createUserRef()('ada@example.com')).not.toBe(createUserRef()('ada@example.com'));
  });

  it('leaves out what is below its level', () => {
    const lines = logged((logger) => {
      logger.debug({}, 'a');
      logger.info({}, 'b');
      logger.error({}, 'c');
    }, 'info');
    expect(lines.map(({ msg }) => msg)).toEqual(['b', 'c']);
  });

  it('goes to stderr, and is there when the process exits at once', () => {
    const module = path.join(import.meta.dirname, '../../src/telemetry/logger.ts');
    const script = `const { createLogger } = await import(${JSON.stringify(module)}); createLogger({ level: 'info' }).info({}, 'last words'); process.exit(3);`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ msg: 'last words' });
  });

  it('has a null twin', () => {
    noLogger.child({ stage: 'x' }).error({}, 'nothing');
  });
});
