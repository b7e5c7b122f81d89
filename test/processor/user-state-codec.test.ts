import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserState } from '../../src/core/state.ts';
import { emptyState } from '../../src/core/step.ts';
import { UserStateFormatError, decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { everything, timelines } from '../core/everything.ts';
import { UserLog } from '../core/support.ts';

function roundTrip(state: UserState): UserState {
  return decodeUserState(encodeUserState(state), state.userId);
}

describe("a user state's row", () => {
  it('comes back as it went, whatever the timeline made of the state', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        for (const entry of timeline) {
          if (entry.kind === 'tick') log.tick(entry.appendedAt);
          else log.event(entry.type, entry.appendedAt, entry.parts);
          expect(roundTrip(log.state)).toStrictEqual(log.state);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has the same bytes for the same state, and again after a round trip', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        for (const entry of timeline) if (entry.kind === 'event') log.event(entry.type, entry.appendedAt, entry.parts);
        const bytes = encodeUserState(log.state);
        expect(encodeUserState(roundTrip(log.state)).equals(bytes)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps any attribute of a profile: every scalar, and names of built-in properties', () => {
    const scalar = fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.double(), fc.string({ unit: 'binary' }));
    const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '1', ''));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, scalar)), (attributes) => {
        const state: UserState = { ...emptyState('user'), profile: Object.fromEntries(attributes) };
        expect(roundTrip(state)).toStrictEqual(state);
      }),
    );
  });

  it('may be larger than the room that was prepared for it', () => {
    const state: UserState = { ...emptyState('user'), profile: { long: 'x'.repeat(300_000) } };
    expect(roundTrip(state)).toStrictEqual(state);
  });

  it('begins with its version; another one is refused by name', () => {
    const bytes = encodeUserState(emptyState('user'));
    expect(bytes[0]).toBe(1);
    bytes[0] = 7;
    expect(() => decodeUserState(bytes, 'user')).toThrow(
      new UserStateFormatError('a user state of version 7, this Lull reads 1: run the version that wrote it, or a newer one'),
    );
    expect(() => decodeUserState(Buffer.alloc(0), 'user')).toThrow(UserStateFormatError);
  });

  it('is refused where it is cut, longer than its content, or damaged', () => {
    const log = new UserLog(everything);
    log.event('cart', 0, { properties: { cart: '1', price: 2 } });
    const bytes = encodeUserState(log.state);
    for (let length = 1; length < bytes.length; length++)
      expect(() => decodeUserState(bytes.subarray(0, length), 'user')).toThrow(UserStateFormatError);
    expect(() => decodeUserState(Buffer.concat([bytes, Buffer.of(0)]), 'user')).toThrow(UserStateFormatError);
    for (let at = 1; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = 0xff;
      try {
        decodeUserState(damaged, 'user');
      } catch (error) {
        expect(error).toBeInstanceOf(UserStateFormatError);
      }
    }
  });
});
