import { mutant } from '../log/mutant.ts';
import type { LogTransaction, TransactionalWriter } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { failpoint, slowpoint } from './failpoint.ts';
import { encodeCheckpoint, CHECKPOINT_KEY, META_TABLE } from './checkpoint.ts';
import { commitOffsetsFirst, rowsOnly } from './mutants.ts';
import { encodePosition, POSITION_KEY } from './position.ts';
import type { Clock, Output } from './stage.ts';

export interface CommitTarget {
  readonly partition: number;
  readonly partitions: number;
  readonly inputTopic: string;
  readonly changelogTopic: string;
  readonly groupId: string;
  readonly stateVersion: number;
  readonly rowTable: string;
  readonly generationId: () => number;
  /** Told of the changelog offset that the store has after each commit. */
  readonly onStored: (changelogOffset: number) => void;
}

/**
 * The one way a task commits.
 *
 *  (a) one Kafka transaction: changed rows and the position row (changelog), everything else, the group's offsets;
 *  (b) after its commit, one atomic store write: the same rows, derived rows, the changelog offset.
 *
 * The order is the promise. Store before log would leave state on disk that no log explains; a crash between (a) and (b) only costs a
 * replay of a few changelog rows. The rows go first into the transaction because the client's AddOffsetsToTxn cannot open one that follows
 * another back to back (code 51). Any error leaves the result unknown: the caller discards the task and its producer.
 */
export class Committer {
  readonly #writer: TransactionalWriter;
  readonly #store: PartitionStore;
  readonly #target: CommitTarget;
  readonly #clock: Clock;
  /** Input offset of the last commit. */
  committedOffset: number;

  constructor(writer: TransactionalWriter, store: PartitionStore, target: CommitTarget, clock: Clock, committedOffset: number) {
    this.#writer = writer;
    this.#store = store;
    this.#target = target;
    this.#clock = clock;
    this.committedOffset = committedOffset;
  }

  async commit(output: Output): Promise<void> {
    const { partition, inputTopic, groupId } = this.#target;
    const offsets = [{ topic: inputTopic, partition, offset: output.position.offset }];
    if (mutant('offsets-before-output')) await commitOffsetsFirst(this.#writer, groupId, offsets);
    const transaction = await this.#writer.begin();
    const position = this.#encodePosition(output);
    const changelogOffset = await this.#send(transaction, output, position);
    failpoint('before-offsets');
    await transaction.sendOffsets(groupId, offsets);
    if (mutant('store-before-commit')) await this.#store.write(rowsOnly(this.#storeOps(output, position, changelogOffset)));
    failpoint('before-commit');
    await transaction.commit();
    failpoint('after-commit');
    await slowpoint('before-store');
    await this.#store.write(this.#storeOps(output, position, changelogOffset));
    failpoint('after-store');
    this.#target.onStored(changelogOffset);
    this.committedOffset = output.position.offset;
  }

  async #send(transaction: LogTransaction, output: Output, position: Buffer): Promise<number> {
    const { partition, changelogTopic } = this.#target;
    const rows = [...output.rows, { key: POSITION_KEY, value: position }];
    const appended = await transaction.send([
      ...rows.map((row) => ({ topic: changelogTopic, partition, key: row.key, value: row.value })),
      ...output.records,
    ]);
    const changelog = appended.find((to) => to.topic === changelogTopic && to.partition === partition);
    if (changelog === undefined) throw new Error(`${changelogTopic}-${partition}: the log did not say where the rows went`);
    return changelog.nextOffset;
  }

  #storeOps(output: Output, position: Buffer, changelogOffset: number): StoreOp[] {
    const { rowTable, stateVersion } = this.#target;
    const checkpoint = { changelogOffset, stateVersion, writtenAtMs: this.#clock.nowMs() };
    return [
      ...output.rows.map((row) => ({ table: rowTable, key: row.key, value: row.value })),
      ...output.derived,
      { table: META_TABLE, key: POSITION_KEY, value: position },
      { table: META_TABLE, key: CHECKPOINT_KEY, value: encodeCheckpoint(checkpoint) },
    ];
  }

  #encodePosition(output: Output): Buffer {
    const { partitions, stateVersion, generationId } = this.#target;
    return encodePosition({ ...output.position, stateVersion, partitions, generationId: generationId() });
  }
}
