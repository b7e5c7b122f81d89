/**
 * Local time. Zones are IANA's; their rules come with the runtime (`process.versions.tz`), which decisions name together with the version of Lull.
 *
 * A local time that a change of clocks leaves out is the next instant that there is; one that comes twice is the first.
 */

export const DAY_MS = 86_400_000;
/** Offsets change on quarter hours only. */
const SLOT_MS = 900_000;
const MAX_KNOWN = 10_000;

const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, number>();

/** An IANA name: an offset is none, it does not know of summer. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The day in that zone, as days since 1970-01-01. */
export function dayOf(zone: string, ms: number): number {
  return Math.floor((ms + offsetOf(zone, ms)) / DAY_MS);
}

/** When it is so many minutes past midnight on that day. */
export function instantOf(zone: string, day: number, minutes: number): number {
  const localMs = day * DAY_MS + minutes * 60_000;
  const [before, after] = [offsetOf(zone, localMs - DAY_MS), offsetOf(zone, localMs + DAY_MS)];
  const instants = [localMs - before, localMs - after].filter((ms) => ms + offsetOf(zone, ms) === localMs);
  if (instants.length > 0) return Math.min(...instants);
  // Left out: clocks go from behind this time to before it at one instant between the two.
  let [low, high] = [Math.min(localMs - before, localMs - after), Math.max(localMs - before, localMs - after)];
  const offset = offsetOf(zone, low);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetOf(zone, middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** The first instant at or after `ms` at which it is so many minutes past midnight. */
export function nextInstantOf(zone: string, ms: number, minutes: number): number {
  const day = dayOf(zone, ms);
  const today = instantOf(zone, day, minutes);
  return today >= ms ? today : instantOf(zone, day + 1, minutes);
}

/** The same month and day, so many years later; the 29th of February becomes the 28th. Of instants, in that zone, at the same local time. */
export function yearsLater(zone: string, ms: number, years: number): number {
  const local = new Date(ms + offsetOf(zone, ms));
  const [year, month] = [local.getUTCFullYear() + years, local.getUTCMonth()];
  const lastOfMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = Math.floor(Date.UTC(year, month, Math.min(local.getUTCDate(), lastOfMonth)) / DAY_MS);
  const sinceMidnightMs = local.getTime() - Math.floor(local.getTime() / DAY_MS) * DAY_MS;
  return instantOf(zone, day, Math.floor(sinceMidnightMs / 60_000)) + (sinceMidnightMs % 60_000);
}

/** What a zone's clocks are ahead of UTC by. */
function offsetOf(zone: string, ms: number): number {
  const slot = Math.floor(ms / SLOT_MS);
  const key = `${zone}/${slot}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    const atMs = slot * SLOT_MS;
    const parts = Object.fromEntries(
      formatOf(zone)
        .formatToParts(atMs)
        .map(({ type, value }) => [type, Number(value)]),
    );
    const { year, month, day, hour, minute, second } = parts;
    offset = Date.UTC(year!, month! - 1, day, hour, minute, second) - atMs;
    // A cache, and no more: what is in it follows from zone and time alone.
    if (offsets.size >= MAX_KNOWN) offsets.clear();
    offsets.set(key, offset);
  }
  return offset;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: zone, calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
    formats.set(zone, format);
  }
  return format;
}
