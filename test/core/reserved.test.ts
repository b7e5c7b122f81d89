import { describe, expect, it } from 'vitest';
import type { Properties } from '../../src/core/event.ts';
import { RESERVED_EVENTS, ReservedEventError } from '../../src/core/reserved.ts';
import { MINUTE, START, UserLog, journeyOf, programOf } from './support.ts';

const program = programOf({});

function refusal(type: string, properties: Properties): ReservedEventError {
  try {
    new UserLog(program).event(type, 0, { properties });
  } catch (error) {
    if (error instanceof ReservedEventError) return error;
    throw error;
  }
  throw new Error(`${type} was taken`);
}

const phone = { deviceId: 'd', kind: 'fcm', value: 'token' };

describe('reserved events', () => {
  it('are only those of the table: nobody forges what Lull writes', () => {
    for (const type of ['$tick', '$identify', '$erase', '$', '$Profile', '$session_ended']) {
      expect(refusal(type, {}).reason).toBe('unknown_reserved_event');
      expect(refusal(type, {}).message).toContain(type);
    }
  });

  it('are refused where a property is missing, empty, of another type or not among the allowed, without a word of its value', () => {
    expect(refusal('$device_added', { deviceId: 'd', kind: 'fcm' }).message).toBe(
      '$device_added: property value is missing (the token, or the subscription as JSON)',
    );
    expect(refusal('$device_added', { ...phone, value: '' }).message).toContain('is empty');
    expect(refusal('$device_added', { ...phone, zone: 1 }).message).toContain('property zone is a long, expected a string');
    expect(refusal('$device_added', { ...phone, permission: 'secret' }).message).toContain('must be one of granted, denied, unknown');
    expect(refusal('$device_unreachable', { deviceId: 'd', sentAt: 1.5, reason: 'gone' }).message).toContain('sentAt is a double');
    expect(refusal('$consent', { category: 'offers', state: 'maybe' })).toMatchObject({ reason: 'malformed_reserved_event' });
    expect(refusal('$consent', { category: 'offers', state: 'maybe' }).message).not.toContain('maybe');
  });

  it('change nothing where they are refused', () => {
    const log = new UserLog(program);
    log.event('$device_added', 0, { properties: phone });
    const before = log.state;
    expect(() => log.event('$consent', 1, { properties: {} })).toThrow(ReservedEventError);
    expect(log.state).toBe(before);
  });

  it('are taken once, like any event', () => {
    const log = new UserLog(program);
    log.event('$profile', 0, { id: 'p', properties: { plan: 'free' } });
    log.event('$profile', 0, { id: 'q', properties: { plan: 'pro' } });
    log.event('$profile', 0, { id: 'p', properties: { plan: 'free' } });
    expect(log.state.profile).toEqual({ plan: 'pro' });
  });

  it('are no activity, whatever the catalogue says, and may still start a journey', () => {
    const log = new UserLog(
      programOf({
        activity: ['$opened'],
        journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on: { type: '$opened', where: null } } })],
      }),
    );
    log.event('$opened', 0, { id: 'o', properties: { commandId: 'c' } });
    expect(log.state.session).toBeNull();
    expect(log.state.lifetime.firstSeenAtMs).toBeNull();
    expect(log.outcomes).toEqual(['j o sent']);
  });

  it('stand in the table once each, with a purpose and a writer', () => {
    expect(new Set(RESERVED_EVENTS.map((event) => event.type)).size).toBe(RESERVED_EVENTS.length);
    for (const { purpose, writer } of RESERVED_EVENTS) {
      expect(purpose).toMatch(/\.$/);
      expect(['product', 'sender', 'device']).toContain(writer);
    }
  });
});

describe('$profile', () => {
  it('merges; null deletes', () => {
    const log = new UserLog(program);
    log.event('$profile', 0, { properties: { plan: 'free', country: 'DE', age: 30 } });
    log.event('$profile', 1, { properties: { plan: 'pro', country: null, never: null } });
    expect(log.state.profile).toEqual({ plan: 'pro', age: 30 });
  });

  it('takes attributes with the names of built-in properties', () => {
    const log = new UserLog(program);
    log.event('$profile', 0, { properties: Object.fromEntries([['__proto__', 'x']]) });
    expect(Object.entries(log.state.profile)).toEqual([['__proto__', 'x']]);
    log.event('$profile', 0, { properties: Object.fromEntries([['__proto__', null]]) });
    expect(Object.entries(log.state.profile)).toEqual([]);
  });

  it('is refused whole where it would exceed the limit of attributes', () => {
    const properties = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, i]));
    expect(refusal('$profile', properties)).toMatchObject({ reason: 'too_many_attributes' });
  });
});

describe('devices', () => {
  it('are registered, told more of, and removed', () => {
    const log = new UserLog(program);
    log.event('$device_added', 0, { properties: { ...phone, zone: 'Europe/Berlin', permission: 'granted' } });
    log.event('$device_added', MINUTE, { properties: { ...phone, value: 'token2', appVersion: '2' } });
    expect(log.state.devices).toEqual([
      {
        deviceId: 'd',
        kind: 'fcm',
        value: 'token2',
        permission: 'granted',
        zone: 'Europe/Berlin',
        locale: null,
        appVersion: '2',
        registeredAtMs: START + MINUTE,
        lastSeenAtMs: START + MINUTE,
        unreachableAtMs: null,
      },
    ]);
    log.event('$device_removed', MINUTE, { properties: { deviceId: 'other' } });
    log.event('$device_removed', MINUTE, { properties: { deviceId: 'd' } });
    expect(log.state.devices).toEqual([]);
  });

  it('share no token: one that has moved belongs to the new device', () => {
    const log = new UserLog(program);
    log.event('$device_added', 0, { properties: phone });
    log.event('$device_added', 1, { properties: { ...phone, kind: 'webpush', deviceId: 'same value, other channel' } });
    log.event('$device_added', 2, { properties: { ...phone, deviceId: 'reinstalled' } });
    expect(log.state.devices.map((device) => device.deviceId)).toEqual(['reinstalled', 'same value, other channel']);
  });

  it('are bounded: the one longest unseen goes', () => {
    const log = new UserLog({ ...program, limits: { ...program.limits, devices: 2 } });
    for (const [i, deviceId] of ['a', 'b'].entries())
      log.event('$device_added', i, { properties: { ...phone, deviceId, value: deviceId } });
    log.event('$opened', 2, { properties: { commandId: 'c', deviceId: 'a' } });
    log.event('$accepted', 3, { properties: { commandId: 'c', deviceId: 'b' } });
    log.event('$device_added', 3, { properties: { ...phone, deviceId: 'c', value: 'c' } });
    expect(log.state.devices.map((device) => device.deviceId)).toEqual(['c', 'a']);
  });

  it('are unreachable when a provider says so, until they register again', () => {
    const log = new UserLog(program);
    const unreachable = () => log.state.devices[0]?.unreachableAtMs;
    const gone = { deviceId: 'd', reason: 'gone' };
    log.event('$device_added', MINUTE, { properties: phone });
    log.event('$device_unreachable', 2 * MINUTE, { properties: { ...gone, sentAt: START } });
    expect(unreachable()).toBeNull();
    log.event('$device_unreachable', 2 * MINUTE, { properties: { ...gone, sentAt: START + MINUTE, value: 'an older token' } });
    expect(unreachable()).toBeNull();
    log.event('$device_unreachable', 2 * MINUTE, { properties: { ...gone, sentAt: START + MINUTE, value: 'token' } });
    expect(unreachable()).toBe(START + 2 * MINUTE);
    log.event('$device_added', 3 * MINUTE, { properties: phone });
    expect(unreachable()).toBeNull();
  });
});
