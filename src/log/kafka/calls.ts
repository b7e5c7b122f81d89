import type { Address } from './wire.ts';

interface Coded {
  readonly errorCode: number;
}
interface OfTopic<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}
interface Offset {
  readonly partition: number;
  readonly offset: string;
}
interface ProducerArgs {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}
interface MemberArgs {
  readonly groupId: string;
  readonly memberId: string;
}

/** The requests that Lull sends through kafkajs's encoding, by kafkajs's name of the API, with the fields that are used. 64-bit numbers are strings. */
export interface Calls {
  readonly Metadata: {
    readonly args: { readonly topics: readonly string[]; readonly allowAutoTopicCreation: false };
    readonly answer: {
      readonly brokers: readonly (Address & { readonly nodeId: number })[];
      readonly topicMetadata: readonly {
        readonly topic: string;
        readonly topicErrorCode: number;
        readonly partitionMetadata: readonly {
          readonly partitionId: number;
          readonly partitionErrorCode: number;
          readonly leader: number;
          readonly replicas: readonly number[];
        }[];
      }[];
    };
  };
  /** `coordinatorType` 0 is a group's, 1 a transactional id's. */
  readonly GroupCoordinator: {
    readonly args: { readonly groupId: string; readonly coordinatorType: 0 | 1 };
    readonly answer: Coded & { readonly coordinator: Address };
  };
  readonly InitProducerId: {
    readonly args: { readonly transactionalId?: string; readonly transactionTimeout: number };
    readonly answer: Coded & { readonly producerId: string; readonly producerEpoch: number };
  };
  readonly AddPartitionsToTxn: {
    readonly args: ProducerArgs & { readonly topics: readonly OfTopic<number>[] };
    readonly answer: {
      readonly errors: readonly { readonly topic: string; readonly partitionErrors: readonly (Coded & { readonly partition: number })[] }[];
    };
  };
  readonly AddOffsetsToTxn: { readonly args: ProducerArgs & { readonly groupId: string }; readonly answer: Coded };
  readonly TxnOffsetCommit: {
    readonly args: ProducerArgs & { readonly groupId: string; readonly topics: readonly OfTopic<Offset>[] };
    readonly answer: { readonly topics: readonly OfTopic<Coded & { readonly partition: number }>[] };
  };
  readonly EndTxn: { readonly args: ProducerArgs & { readonly transactionResult: boolean }; readonly answer: Coded };
  readonly JoinGroup: {
    readonly args: MemberArgs & {
      readonly sessionTimeout: number;
      readonly rebalanceTimeout: number;
      readonly protocolType: 'consumer';
      readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
    };
    readonly answer: Coded & {
      readonly generationId: number;
      readonly leaderId: string;
      readonly memberId: string;
      readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
    };
  };
  readonly SyncGroup: {
    readonly args: MemberArgs & {
      readonly generationId: number;
      readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
    };
    readonly answer: Coded & { readonly memberAssignment: Buffer };
  };
  readonly Heartbeat: { readonly args: MemberArgs & { readonly groupGenerationId: number }; readonly answer: Coded };
  readonly LeaveGroup: { readonly args: MemberArgs; readonly answer: Coded };
  readonly ListOffsets: {
    /** `timestamp` -1 is the end, -2 the start. */
    readonly args: {
      readonly replicaId: -1;
      readonly isolationLevel: 0;
      readonly topics: readonly OfTopic<{ readonly partition: number; readonly timestamp: -1 | -2 }>[];
    };
    readonly answer: { readonly responses: readonly OfTopic<Coded & Offset>[] };
  };
  readonly OffsetFetch: {
    readonly args: { readonly groupId: string; readonly topics: readonly OfTopic<{ readonly partition: number }>[] };
    readonly answer: Coded & { readonly responses: readonly OfTopic<Coded & Offset>[] };
  };
  readonly OffsetCommit: {
    readonly args: MemberArgs & { readonly groupGenerationId: number; readonly topics: readonly OfTopic<Offset>[] };
    readonly answer: { readonly responses: readonly OfTopic<Coded & { readonly partition: number }>[] };
  };
  readonly CreateTopics: {
    readonly args: {
      readonly timeout: number;
      readonly topics: readonly {
        readonly topic: string;
        readonly numPartitions: number;
        readonly replicationFactor: number;
        readonly configEntries: readonly { readonly name: string; readonly value: string }[];
      }[];
    };
    readonly answer: { readonly topicErrors: readonly (Coded & { readonly topic: string; readonly errorMessage: string | null })[] };
  };
  readonly DeleteTopics: {
    readonly args: { readonly timeout: number; readonly topics: readonly string[] };
    readonly answer: { readonly topicErrors: readonly (Coded & { readonly topic: string })[] };
  };
  readonly DescribeConfigs: {
    /** Type 2 is a topic. */
    readonly args: { readonly resources: readonly { readonly type: 2; readonly name: string }[]; readonly includeSynonyms: false };
    readonly answer: {
      readonly resources: readonly (Coded & {
        readonly resourceName: string;
        readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
      })[];
    };
  };
  readonly DeleteRecords: {
    readonly args: { readonly topics: readonly OfTopic<{ readonly partition: number; readonly offset: string }>[] };
    readonly answer: { readonly topics: readonly OfTopic<Coded & { readonly partition: number }>[] };
  };
}
