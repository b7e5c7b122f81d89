import type { Consent, Device, LedgerEntry } from '../core/state.ts';

/**
 * What the writer and the reader of a user's row share. A row is Avro of `schemas/user-state/v4.avsc`, and both are written by hand for it, field by field in its
 * order: half a row is written per event, and going through row objects and a general codec costs four times as much. The tests hold both to avsc's own.
 */

/** Bytes of one event id's hash in `recentEventIds`. */
export const HASH_BYTES = 7;
export const UUID_BYTES = 16;

/** The symbols of the schema's enums, in its order. */
export const PERMISSIONS: readonly Device['permission'][] = ['granted', 'denied', 'unknown'];
export const CHOICES: readonly Consent['state'][] = ['in', 'out'];
export const OUTCOMES: readonly LedgerEntry['outcome'][] = ['open', 'accepted', 'released', 'revoked'];
