const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What is said to somebody who wrote something else. */
export const DURATION_FORM = 'a duration such as 90s, 30m, 1h or 7d';

/**
 * Milliseconds of `90s`, `30m`, `1h`, `7d`, `1h30m`; undefined for anything else. A bare number is none: nobody can tell seconds from minutes by
 * looking at it. A day is 24 hours.
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) total += Number(amount) * UNITS[unit as keyof typeof UNITS];
  return Number.isSafeInteger(total) ? total : undefined;
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
