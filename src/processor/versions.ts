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
  /** Those before, of which runs may still be on their way; the earliest first. */
  readonly earlier: readonly ReplacedVersion[];
}

export interface ReplacedVersion {
  readonly hash: string;
  readonly since: number;
  /** The partition's time when another took its place. */
  readonly replacedAtMs: number;
}

export function encodeVersions({ hash, number, since, isInLog, earlier }: Versions): string {
  return JSON.stringify({ hash, number, since, isInLog, earlier });
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
  const { hash, number, since, isInLog, earlier } = value;
  const isFine = typeof hash === 'string' && Number.isSafeInteger(number) && Number.isSafeInteger(since) && typeof isInLog === 'boolean';
  return isFine && Array.isArray(earlier) && earlier.every(isReplaced);
}

function isReplaced(value: unknown): value is ReplacedVersion {
  if (!isRecord(value)) return false;
  return typeof value['hash'] === 'string' && Number.isSafeInteger(value['since']) && typeof value['replacedAtMs'] === 'number';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
