import { mutant } from '../log/mutant.ts';
import { OffsetOutOfRangeError } from '../log/errors.ts';
import type { Log } from '../log/port.ts';
import { FatalError } from './errors.ts';
import { positionFromGroup } from './mutants.ts';
import type { PositionRow } from './position.ts';
import type { InputPosition } from './stage.ts';

/** A commit's offsets become readable a moment after its transaction; a real disagreement stays. */
const AGREE_WITHIN_ATTEMPTS = 20;
const AGREE_RETRY_MS = 250;

export interface StartPositionInput {
  readonly log: Log;
  readonly groupId: string;
  readonly inputTopic: string;
  readonly partition: number;
  readonly position: PositionRow | undefined;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * Where reading begins: the position row, which no tool can move. The group's offset was committed in the same transaction, so it must agree;
 * where it does not, somebody reset, expired or moved it, or the changelog is another's, and going on would lose or repeat records silently.
 * Where neither exists the task is new and begins at the start of the log.
 */
export async function startPosition(input: StartPositionInput): Promise<InputPosition> {
  if (mutant('position-from-group') || mutant('offsets-before-output')) return positionFromGroup(input);
  const { log, groupId, inputTopic, partition, position } = input;
  let committed: number | undefined;
  for (let attempt = 1; attempt <= AGREE_WITHIN_ATTEMPTS; attempt++) {
    committed = (await log.admin.groupOffsets(groupId, inputTopic)).get(partition);
    if (committed === position?.offset) break;
    await input.sleep(AGREE_RETRY_MS);
  }
  const bounds = (await log.admin.offsets(inputTopic)).get(partition);
  if (bounds === undefined) throw new FatalError(`${inputTopic}-${partition} does not exist; run "lull topics create"`);
  // Before the disagreement: a topic that was recreated has lost the group's offsets too, and to set them again would mend nothing.
  if (position !== undefined && (position.offset < bounds.start || position.offset > bounds.end)) {
    throw new OffsetOutOfRangeError(inputTopic, partition, position.offset, bounds);
  }
  if (committed !== position?.offset) throw disagreement(input, committed);
  if (position === undefined) return { offset: bounds.start, nowMs: 0 };
  return { offset: position.offset, nowMs: position.nowMs, ...(position.stage === undefined ? {} : { stage: position.stage }) };
}

function disagreement({ groupId, inputTopic, partition, position }: StartPositionInput, committed: number | undefined): FatalError {
  const where = `${inputTopic}-${partition}`;
  if (position === undefined) {
    return new FatalError(
      `${where}: group ${groupId} has the committed offset ${committed}, but the changelog has no position: is it another's, or was it deleted? ` +
        `Delete the group's offset to begin at the start of the log, or restore the changelog`,
    );
  }
  return new FatalError(
    `${where}: the changelog's position is ${position.offset}, group ${groupId} has ${committed ?? 'no offset'}: it was reset, has expired or was moved. ` +
      `Set the group's offset to ${position.offset} (kafka-consumer-groups --reset-offsets --to-offset) to go on where the state stands` +
      (committed === undefined
        ? `. If the topic was recreated, start over with another --prefix instead: its records are not those that the state knows`
        : ''),
  );
}
