import { describe, expect, it } from 'vitest';
import { durationMs, formatDuration, isTooLong, parseDuration } from '../../src/topology/duration.ts';

describe('a duration', () => {
  it.each([
    ['0s', 0],
    ['250ms', 250],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['36500d', 3_153_600_000_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(durationMs(text)).toBe(ms);
    expect(isTooLong(text)).toBe(false);
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  });

  it.each(['', '90', '1.5h', '-1h', '1 h', '1w', 'h', 'session', '36501d', '876001h', '99999999999999999999d'])('`%s` is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
    expect(() => durationMs(text)).toThrow(RangeError);
  });

  it('is too long beyond a hundred years, with a sign too, and where it is a duration at all', () => {
    expect(['36501d', '-36501d', '36500d1ms', 'every 36501d', '90', 'session', '-1h', 'every 1h'].filter(isTooLong)).toEqual([
      '36501d',
      '-36501d',
      '36500d1ms',
      'every 36501d',
    ]);
  });
});
