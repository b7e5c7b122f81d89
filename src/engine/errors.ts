/** Why a task ended, named by what the worker does next. Log errors (`log/errors.ts`) are classified in `classify`. */
import { RegistryRefusedError } from '../avro/errors.ts';
import { FatalLogError, FencedError, OffsetOutOfRangeError, RecordTooLargeError } from '../log/errors.ts';
import { StoreCorruptError, StoreOpenError } from '../store/port.ts';

/** Local or remote state cannot be used as it is: wipe the local store, restore from the changelog. */
export class StateLostError extends Error {
  override readonly name = 'StateLostError';
}

/** Going on would lose or repeat something, or retrying cannot help: the process ends with this one line. */
export class FatalError extends Error {
  override readonly name = 'FatalError';
}

export type TaskEnd =
  /** Asked to stop; everything begun is committed. */
  | { readonly kind: 'stopped' }
  /** Read to the end that was asked for (historical input). */
  | { readonly kind: 'finished' }
  /** Another incarnation took the transactional id over. */
  | { readonly kind: 'fenced'; readonly error: Error }
  /** Discard, wipe the partition's local store, start again. */
  | { readonly kind: 'state_lost'; readonly error: Error }
  /** Discard, start again after a back-off: transient trouble, or a commit whose result nobody knows. */
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'fatal'; readonly error: Error };

/** Trying again cannot help. */
const FATAL = [
  ...[FatalError, FatalLogError, OffsetOutOfRangeError, RecordTooLargeError, StoreOpenError, RegistryRefusedError],
  // Files that cannot be read are shared by all partitions, and stay unreadable while they are open: whoever opened the store must start over with it.
  StoreCorruptError,
] as const;

export function classify(error: Error): TaskEnd {
  if (error instanceof FencedError) return { kind: 'fenced', error };
  if (error instanceof StateLostError) return { kind: 'state_lost', error };
  if (FATAL.some((type) => error instanceof type)) return { kind: 'fatal', error };
  return { kind: 'failed', error };
}

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
