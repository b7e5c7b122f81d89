import type { LogRecords } from '../port.ts';
import { FetchedRecords } from './fetched-records.ts';
import { type BatchHeader, isControl, isTransactional } from './record-batch.ts';

/** An aborted transaction that reaches into the fetched range, as the broker lists it: in the order in which they *ended*. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface Filtered {
  readonly records: LogRecords;
  /** Behind the last complete batch, whether or not anything of it was kept. */
  readonly nextOffset: number;
}

/**
 * What a reader at `position` sees of the fetched batches. `aborted` is undefined for read_uncommitted.
 *
 * A producer's batches are skipped from the first offset of its aborted transaction to its abort marker. The list is sorted by first offset here, and every
 * entry up to a batch's end is taken before the batch is judged: one producer may have aborted several times in the range. A marker is known
 * by the batch's control flag alone; no key of a data record looks like one. Abort or commit, it ends whatever its producer had open.
 */
export function filterBatches(
  batches: Iterable<BatchHeader>,
  position: number,
  aborted: readonly AbortedTransaction[] | undefined,
): Filtered {
  const pending = aborted === undefined ? [] : [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<number>();
  const records = new FetchedRecords();
  let next = 0;
  let nextOffset = position;
  for (const batch of batches) {
    while (next < pending.length && pending[next]!.firstOffset <= batch.lastOffset) aborting.add(pending[next++]!.producerId);
    nextOffset = Math.max(nextOffset, batch.lastOffset + 1);
    if (isControl(batch)) {
      aborting.delete(batch.producerId);
    } else if (!(isTransactional(batch) && aborting.has(batch.producerId))) {
      records.add(batch, position);
    }
  }
  return { records, nextOffset };
}
