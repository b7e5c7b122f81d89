const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const FORM = /^(\d+(ms|s|m|h|d))+$/;
/** A hundred years: with it, no due time lies beyond the calendar. */
const MAX_MS = 36_500 * UNITS.d;

/** What is said to somebody who wrote something else. */
export const DURATION_FORM = 'a duration such as 90s, 30m, 1h or 7d';

/**
 * Milliseconds of `90s`, `30m`, `1h`, `7d`, `1h30m`; undefined for anything else, and for more than 36500 days. A bare number is none: nobody can tell seconds from minutes by
 * looking at it. A day is 24 hours.
 */
export function parseDuration(text: string): number | undefined {
  if (!FORM.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) total += Number(amount) * UNITS[unit as keyof typeof UNITS];
  return total <= MAX_MS ? total : undefined;
}

/** Milliseconds of what the schema has let through. @throws RangeError for anything else */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new RangeError(`${text} is no duration`);
  return ms;
}

/** Whether what it has of a duration (behind a sign, or behind `every`) is too long, and nothing but that. */
export function isTooLong(text: string): boolean {
  const duration = text.replace(/^(-|every )/, '');
  return FORM.test(duration) && parseDuration(duration) === undefined;
}

/** The shortest exact form: 5400000 is `1h30m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = Math.abs(ms);
  let text = ms < 0 ? '-' : '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const amount = Math.floor(rest / UNITS[unit]);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * UNITS[unit];
  }
  return text;
}
