import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayOf, instantOf, isZone, nextInstantOf, yearsLater } from '../../src/core/zone.ts';

const ms = (text: string): number => Date.parse(text);
const day = (text: string): number => Date.parse(`${text}T00:00:00Z`) / 86_400_000;
const BERLIN = 'Europe/Berlin';

describe('local time', () => {
  it('is that of the zone, summer and winter', () => {
    expect(instantOf(BERLIN, day('2025-01-15'), 9 * 60)).toBe(ms('2025-01-15T08:00:00Z'));
    expect(instantOf(BERLIN, day('2025-07-15'), 9 * 60)).toBe(ms('2025-07-15T07:00:00Z'));
    expect(instantOf('Asia/Kathmandu', day('2025-07-15'), 0)).toBe(ms('2025-07-14T18:15:00Z'));
    expect(instantOf('Pacific/Kiritimati', day('2025-07-15'), 0)).toBe(ms('2025-07-14T10:00:00Z'));
  });

  it('that clocks leave out in spring is the next that there is', () => {
    for (const minutes of [120, 150, 179, 180]) expect(instantOf(BERLIN, day('2025-03-30'), minutes)).toBe(ms('2025-03-30T01:00:00Z'));
    // Half an hour, at two o'clock.
    expect(instantOf('Australia/Lord_Howe', day('2025-10-05'), 135)).toBe(ms('2025-10-04T15:30:00Z'));
  });

  it('that comes twice in autumn is the first', () => {
    expect(instantOf(BERLIN, day('2025-10-26'), 150)).toBe(ms('2025-10-26T00:30:00Z'));
  });

  it('has a whole day left out where a zone crosses the date line', () => {
    expect(instantOf('Pacific/Apia', day('2011-12-30'), 12 * 60)).toBe(ms('2011-12-30T10:00:00Z'));
  });

  it('tells the day of an instant', () => {
    expect(dayOf(BERLIN, ms('2025-06-30T21:59:59Z'))).toBe(day('2025-06-30'));
    expect(dayOf(BERLIN, ms('2025-06-30T22:00:00Z'))).toBe(day('2025-07-01'));
    expect(dayOf('America/Los_Angeles', ms('2025-07-01T06:59:59Z'))).toBe(day('2025-06-30'));
  });

  it('comes next today or tomorrow', () => {
    expect(nextInstantOf(BERLIN, ms('2025-07-15T07:00:00Z'), 9 * 60)).toBe(ms('2025-07-15T07:00:00Z'));
    expect(nextInstantOf(BERLIN, ms('2025-07-15T07:00:00.001Z'), 9 * 60)).toBe(ms('2025-07-16T07:00:00Z'));
  });

  it('is the same some years later, but for a day that is not there', () => {
    expect(yearsLater(BERLIN, ms('2024-02-29T11:00:00Z'), 1)).toBe(ms('2025-02-28T11:00:00Z'));
    expect(yearsLater(BERLIN, ms('2024-02-29T11:00:00Z'), 4)).toBe(ms('2028-02-29T11:00:00Z'));
    // In that year the clocks have not been changed yet on this day.
    expect(yearsLater(BERLIN, ms('2024-03-31T07:00:00Z'), 1)).toBe(ms('2025-03-31T07:00:00Z'));
    expect(yearsLater(BERLIN, ms('2025-03-30T07:00:00Z'), 1)).toBe(ms('2026-03-30T07:00:00Z'));
  });

  it('of any instant gives the instant back, or the first of the two that have it', () => {
    const zones = fc.constantFrom(BERLIN, 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/St_Johns', 'UTC');
    const minutes = fc.integer({ min: ms('2015-01-01T00:00:00Z') / 60_000, max: ms('2035-01-01T00:00:00Z') / 60_000 });
    fc.assert(
      fc.property(zones, minutes, (zone, minute) => {
        const at = minute * 60_000;
        const local = new Date(at).toLocaleString('sv-SE', { timeZone: zone });
        const [, hour, past] = /(\d\d):(\d\d):00$/.exec(local)!;
        const found = instantOf(zone, dayOf(zone, at), 60 * Number(hour) + Number(past));
        expect(found).toBeLessThanOrEqual(at);
        expect(new Date(found).toLocaleString('sv-SE', { timeZone: zone })).toBe(local);
        expect(nextInstantOf(zone, found, 60 * Number(hour) + Number(past))).toBe(found);
      }),
    );
  });

  it('knows its zones by their names', () => {
    expect(['Europe/Berlin', 'UTC', 'Berlin', '', '+25:00'].map(isZone)).toEqual([true, true, false, false, false]);
  });
});
