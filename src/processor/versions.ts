import type { NewDate } from '../core/attributes.ts';
import type { Version } from './topologies.ts';

/**
 * Which version of the topology a partition goes by: part of its state, written with every commit, as text in the position row. Another owner, a standby and an empty
 * disk go on from there.
 */
export interface Versions extends Version {
  /** The number with which this text came into force: a later publication of the same text changes nothing for whoever is under way. */
  readonly since: number;
  /** Whether the timeline has a record of it. A partition that never had one goes by the newest version until there is one. */
  readonly isInLog: boolean;
  /** Users are being gone through, because of the topology that came into force last; absent where that is done. */
  readonly sweep?: Sweep;
  /** Those before, of which runs may still be on their way; the earliest first. */
  readonly earlier: readonly ReplacedVersion[];
}

/** All users of a partition are to learn of journeys on dates that are new; how far that has come. */
export interface Sweep {
  readonly dates: readonly NewDate[];
  /** Of the record that put the topology in force. */
  readonly offset: number;
  /** The last user who was gone through, in the order of their ids' bytes; null = none yet. */
  readonly after: string | null;
}

export interface ReplacedVersion {
  readonly hash: string;
  readonly since: number;
  /** The partition's time when another took its place. */
  readonly replacedAtMs: number;
}

export function encodeVersions({ hash, number, since, isInLog, sweep, earlier }: Versions): string {
  return JSON.stringify({ hash, number, since, isInLog, sweep, earlier });
}

/** undefined where it is none of ours. */
export function decodeVersions(text: string): Versions | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isVersions(parsed) ? parsed : undefined;
}

function isVersions(value: unknown): value is Versions {
  if (!isRecord(value)) return false;
  const { hash, number, since, isInLog, sweep, earlier } = value;
  const isFine = typeof hash === 'string' && Number.isSafeInteger(number) && Number.isSafeInteger(since) && typeof isInLog === 'boolean';
  return isFine && (sweep === undefined || isSweep(sweep)) && Array.isArray(earlier) && earlier.every(isReplaced);
}

function isSweep(value: unknown): value is Sweep {
  if (!isRecord(value)) return false;
  const { dates, offset, after } = value;
  const isFine = Number.isSafeInteger(offset) && (after === null || typeof after === 'string');
  return isFine && Array.isArray(dates) && dates.every((date) => isRecord(date) && typeof date['journey'] === 'string');
}

function isReplaced(value: unknown): value is ReplacedVersion {
  if (!isRecord(value)) return false;
  return typeof value['hash'] === 'string' && Number.isSafeInteger(value['since']) && typeof value['replacedAtMs'] === 'number';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
