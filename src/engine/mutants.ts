import { UnknownResultError } from '../log/errors.ts';
import type { TopicPartition, TransactionalWriter } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { META_TABLE } from './checkpoint.ts';

import type { InputPosition } from './stage.ts';
import type { StartPositionInput } from './start-position.ts';

/** What the engine does wrong where `LULL_MUTANT` asks for it (see `log/mutant.ts`): beside the code that is right, so that it stays readable. */

/** offsets-before-output: a transaction of their own, ahead of the one that has the output. */
export async function commitOffsetsFirst(
  writer: TransactionalWriter,
  groupId: string,
  offsets: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  const transaction = await writer.begin();
  await transaction.sendOffsets(groupId, offsets);
  await transaction.commit();
}

/** position-from-group: whoever can move the group's offset moves us. */
export async function positionFromGroup({ log, groupId, inputTopic, partition, position }: StartPositionInput): Promise<InputPosition> {
  const committed = (await log.admin.groupOffsets(groupId, inputTopic)).get(partition);
  return { offset: committed ?? 0, nowMs: position?.nowMs ?? 0 };
}

/** abort-skipped: what is sent is committed at once, so that no abort ever takes it back. */
export function committingEachSend(writer: TransactionalWriter): TransactionalWriter {
  return {
    fence: (signal) => writer.fence(signal),
    close: () => writer.close(),
    async begin() {
      let transaction = await writer.begin();
      return {
        async send(records) {
          const appended = await transaction.send(records);
          await transaction.commit();
          transaction = await writer.begin();
          return appended;
        },
        sendOffsets: (groupId, offsets) => transaction.sendOffsets(groupId, offsets),
        commit: () => transaction.commit(),
        abort: () => transaction.abort(),
      };
    },
  };
}

/** store-before-commit: without the position, which would be caught by the check against the group's offset. */
export function rowsOnly(ops: readonly StoreOp[]): StoreOp[] {
  return ops.filter(({ table }) => table !== META_TABLE);
}

/** producer-reused: once more, on the producer whose last request may still be on its way. */
export async function onceMore(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UnknownResultError)) throw error;
    await work();
  }
}
