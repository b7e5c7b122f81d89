import { FatalLogError, FencedError, UnknownResultError } from '../errors.ts';

/** Kafka's error codes that are told apart here; https://kafka.apache.org/protocol#protocol_error_codes */
export const Code = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  topicAlreadyExists: 36,
  notController: 41,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  operationNotAttempted: 55,
  kafkaStorageError: 56,
  unknownProducerId: 59,
  nonEmptyGroup: 68,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  producerFenced: 90,
  unknownTopicId: 100,
} as const;

/** What an operator may have to do about codes that no retry mends. */
const HINTS: Readonly<Record<number, string>> = {
  17: 'the topic name is not valid',
  24: 'the group id is not valid',
  23: 'the group has members that use another assignment protocol: is it used by another program?',
  26: "the session timeout is outside of the broker's group.min/max.session.timeout.ms",
  29: 'not authorized for the topic',
  30: 'not authorized for the group',
  31: 'not authorized for the cluster',
  32: "the record's time is outside of what the topic takes",
  35: 'the broker does not speak this version of the request: use Kafka 2.4 or newer',
  37: 'the number of partitions is not valid',
  38: 'the replication factor is larger than the number of brokers',
  40: 'the configuration is not valid',
  44: "the broker's policy forbids it",
  50: "the transaction timeout is larger than the broker's transaction.max.timeout.ms",
  53: 'not authorized for the transactional id',
  58: 'the login was refused',
  68: 'the group has members: stop them first',
  73: 'the broker does not let topics be deleted',
  81: 'the group is full',
  87: 'the broker refused the record (a compacted topic wants keys)',
};

export function describeCode(code: number): string {
  return HINTS[code] === undefined ? `Kafka error ${code}` : `${HINTS[code]} (Kafka error ${code})`;
}

/** Another producer took over, or the coordinator gave up on this one. */
export function isFenced(code: number): boolean {
  return (
    code === Code.invalidProducerEpoch ||
    code === Code.invalidProducerIdMapping ||
    code === Code.unknownProducerId ||
    code === Code.producerFenced
  );
}

/** The coordinator is elsewhere or not ready: it has not acted. */
export function isCoordinatorMove(code: number): boolean {
  return code === Code.coordinatorLoading || code === Code.coordinatorNotAvailable || code === Code.notCoordinator;
}

/** The leader is elsewhere or not ready: it has not acted, and metadata is stale. */
export function isLeaderMove(code: number): boolean {
  return (
    code === Code.unknownTopicOrPartition ||
    code === Code.leaderNotAvailable ||
    code === Code.notLeader ||
    code === Code.kafkaStorageError ||
    code === Code.fencedLeaderEpoch ||
    code === Code.unknownLeaderEpoch ||
    code === Code.offsetNotAvailable
  );
}

/** A code of a request in a transaction that is neither success nor retried: what the task has to do about it. */
export function transactionError(what: string, code: number): FencedError | UnknownResultError | FatalLogError {
  if (isFenced(code))
    return new FencedError(
      `${what}: another producer with this transactional id took over, or the transaction timed out (Kafka error ${code})`,
    );
  if (HINTS[code] !== undefined) return new FatalLogError(`${what}: ${describeCode(code)}`);
  return new UnknownResultError(`${what}: ${describeCode(code)}`);
}
