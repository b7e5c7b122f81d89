import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserState } from '../../src/core/state.ts';
import { emptyState } from '../../src/core/step.ts';
import { UserStateFormatError, decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { everything, timelines } from '../core/everything.ts';
import { UserLog } from '../core/support.ts';
import { asVersion, rowType, stateByAvsc } from './user-row-by-avsc.ts';
import { anyState, scalar } from './user-states.ts';

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

  it('can be written whatever a client takes for the time', () => {
    const absurd = Number.MAX_SAFE_INTEGER;
    const log = new UserLog(everything);
    log.event('cart', 0);
    for (const at of [-absurd, absurd])
      for (const sentAt of [-absurd, 0, absurd]) log.process({ ...log.build('cart', 1), occurredAtMs: at, sentAtMs: sentAt });
    expect(log.state.lifetime.firstSeenAtMs).toBe(0);
    expect(roundTrip(log.state)).toStrictEqual(log.state);
  });

  it('comes back as it went, whatever the state', () => {
    fc.assert(
      fc.property(anyState(), (state) => {
        expect(roundTrip(state)).toStrictEqual(state);
      }),
      { numRuns: 100 },
    );
  });

  it('is Avro of the published schema: avsc reads the same state, and writes the same bytes', () => {
    fc.assert(
      fc.property(anyState(), (state) => {
        const bytes = encodeUserState(state);
        expect(stateByAvsc(bytes, state.userId)).toStrictEqual(state);
        expect(rowType.toBuffer(rowType.fromBuffer(bytes.subarray(1))).equals(bytes.subarray(1))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('has the same bytes for the same state: after a round trip, and whatever was written in between', () => {
    const others = Array.from({ length: 300 }, (_, i) => [`${i}`.padEnd(4_000, 'x'), null] as const);
    const flood: UserState = { ...emptyState('other'), profile: Object.fromEntries(others) };
    fc.assert(
      fc.property(anyState(), (state) => {
        const bytes = encodeUserState(state);
        roundTrip(flood);
        expect(encodeUserState(roundTrip(state)).equals(bytes)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('keeps any attribute of a profile: every scalar, and names of built-in properties', () => {
    const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '1', ''));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, scalar()), { maxLength: 200 }), (attributes) => {
        const state: UserState = { ...emptyState('user'), profile: Object.fromEntries(attributes) };
        expect(roundTrip(state)).toStrictEqual(state);
      }),
    );
  });

  it('may be larger than the room that was prepared for it', () => {
    const state: UserState = {
      ...emptyState('user'),
      profile: { long: 'x'.repeat(300_000), real: 0.5, more: 'ü'.repeat(300_000) },
      entries: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`journey/${i}`, i])),
    };
    expect(roundTrip(state)).toStrictEqual(state);
  });

  it('stands apart from the rows that are written after it', () => {
    const state: UserState = { ...emptyState('user'), profile: { name: 'x'.repeat(1_000) } };
    const bytes = encodeUserState(state);
    const before = Buffer.from(bytes);
    for (let i = 0; i < 200; i++) encodeUserState({ ...state, lastEventMs: i });
    expect(bytes.equals(before)).toBe(true);
  });

  it('is refused at the writing where a number would not come back', () => {
    for (const lastEventMs of [0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => encodeUserState({ ...emptyState('user'), lastEventMs })).toThrow(RangeError);
      expect(() => encodeUserState({ ...emptyState('user'), entries: { before: 5, at: lastEventMs } })).toThrow(RangeError);
    }
    expect(roundTrip(emptyState('user'))).toStrictEqual(emptyState('user'));
  });

  it('begins with its version; another one is refused by name', () => {
    const bytes = encodeUserState(emptyState('user'));
    expect(bytes[0]).toBe(4);
    bytes[0] = 7;
    expect(() => decodeUserState(bytes, 'user')).toThrow(
      new UserStateFormatError('a user state of version 7, this Lull reads 2 to 4: run the version that wrote it, or a newer one'),
    );
    bytes[0] = 1;
    expect(() => decodeUserState(bytes, 'user')).toThrow(
      new UserStateFormatError(
        'a user state of version 1, this Lull reads 2 to 4: run the version that wrote it, or start over with another --prefix',
      ),
    );
    expect(() => decodeUserState(Buffer.alloc(0), 'user')).toThrow(UserStateFormatError);
  });

  it('is read as it was written before runs could wait', () => {
    fc.assert(
      fc.property(anyState(), (any) => {
        const state = { ...any, tallies: {}, matches: any.matches.map((match) => ({ ...match, wait: null })) };
        expect(decodeUserState(asVersion(2, encodeUserState(state)), 'user')).toStrictEqual(state);
      }),
    );
  });

  it('is read as it was written before runs knew the version that they began with', () => {
    fc.assert(
      fc.property(anyState(), (any) => {
        const state = { ...any, matches: any.matches.map((match) => ({ ...match, wait: match.wait && { ...match.wait, version: 0 } })) };
        expect(decodeUserState(asVersion(3, encodeUserState(state)), 'user')).toStrictEqual(state);
      }),
    );
  });

  it('is refused where it is cut, or longer than its content', () => {
    fc.assert(
      fc.property(anyState(), fc.nat(), (state, at) => {
        const bytes = encodeUserState(state);
        const cut = bytes.subarray(0, 1 + (at % (bytes.length - 1)));
        expect(() => decodeUserState(cut, 'user')).toThrow(UserStateFormatError);
        expect(() => decodeUserState(Buffer.concat([bytes, Buffer.of(0)]), 'user')).toThrow(UserStateFormatError);
      }),
    );
  });

  it('is refused where it is damaged, or is what avsc reads from the same bytes', () => {
    const damage = fc.record({ at: fc.nat(), bytes: fc.uint8Array({ maxLength: 12 }), instead: fc.nat(12) });
    fc.assert(
      fc.property(anyState(), damage, (state, { at, bytes, instead }) => {
        const whole = encodeUserState(state);
        const from = 1 + (at % (whole.length - 1));
        const damaged = Buffer.concat([whole.subarray(0, from), bytes, whole.subarray(from + instead)]);
        let read: UserState;
        try {
          read = decodeUserState(damaged, 'user');
        } catch (error) {
          expect(error).toBeInstanceOf(UserStateFormatError);
          return;
        }
        const byAvsc = stateByAvsc(damaged, 'user');
        if (!isDeepStrictEqual(read, byAvsc)) expect(read).toStrictEqual(byAvsc);
      }),
      { numRuns: 400 },
    );
  });
});
