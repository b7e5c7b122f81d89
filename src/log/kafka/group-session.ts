import { FatalLogError } from '../errors.ts';
import { inTurn } from '../in-turn.ts';
import type { Assign, Generation, GroupMember, MembershipOptions } from '../port.ts';
import type { Calls } from './calls.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isCoordinatorMove } from './codes.ts';
import type { Connections } from './connections.ts';
import { MemberAssignment, MemberMetadata } from './kafkajs.ts';
import { type Address, NoAnswerError } from './wire.ts';

/** Its own name, so that a program with another idea of assignment is refused by the group instead of confusing it. */
const PROTOCOL = 'lull-v1';

export interface Entered {
  readonly generation: Generation;
  /** When the request that confirmed it was sent, on the monotonic clock. */
  readonly sentAtMs: number;
}

/** The requests of one group member: https://kafka.apache.org/protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup), eager rebalancing. */
export class GroupSession {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #groupId: string;
  readonly #topic: string;
  readonly #sessionTimeoutMs: number;
  readonly #userData: () => Buffer;
  readonly #assign: Assign;
  #coordinator: Address | undefined;
  #memberId: string;
  #generationId = -1;

  constructor(client: KafkaClient, connections: Connections, options: MembershipOptions & { readonly sessionTimeoutMs: number }) {
    this.#client = client;
    this.#connections = connections;
    this.#groupId = options.groupId;
    this.#topic = options.topic;
    this.#sessionTimeoutMs = options.sessionTimeoutMs;
    this.#userData = options.userData ?? (() => Buffer.alloc(0));
    this.#assign = options.assign ?? inTurn;
    this.#memberId = options.memberId ?? '';
  }

  /** One attempt to join and to get an assignment; a string says why it has to be tried again. */
  async enter(): Promise<Entered | string> {
    await this.#client.cluster.leader(this.#topic, 0, { signal: this.#connections.signal, deadlineMs: this.#client.deadlineMs }); // the topic exists
    const joined = await this.#join();
    if (typeof joined === 'string') return joined;
    this.#memberId = joined.memberId;
    this.#generationId = joined.generationId;
    const groupAssignment = joined.leaderId === joined.memberId ? await this.#shareOut(joined.members) : [];
    const sentAtMs = performance.now();
    const { groupId, generationId, memberId } = this.#identity;
    const synced = await this.#call('SyncGroup', { groupId, generationId, memberId, groupAssignment });
    const again = this.#again(synced.errorCode);
    if (again !== undefined) return again;
    const share = MemberAssignment.decode(synced.memberAssignment);
    const partitions = [...(share?.assignment[this.#topic] ?? [])].sort((a, b) => a - b);
    return { sentAtMs, generation: { generationId, memberId, partitions, userData: share?.userData ?? Buffer.alloc(0) } };
  }

  /** Gives the error code. */
  async heartbeat(): Promise<number> {
    const { groupId, generationId, memberId } = this.#identity;
    const { errorCode } = await this.#call('Heartbeat', { groupId, groupGenerationId: generationId, memberId });
    if (errorCode !== Code.none) this.#forget(errorCode);
    return errorCode;
  }

  async leave(connections: Connections): Promise<void> {
    if (this.#memberId === '') return;
    const coordinator = this.#coordinator ?? (await this.#client.cluster.coordinator('group', this.#groupId, connections.signal));
    await connections.to(coordinator).call('LeaveGroup', { groupId: this.#groupId, memberId: this.#memberId });
    this.#memberId = '';
  }

  get #identity(): { readonly groupId: string; readonly generationId: number; readonly memberId: string } {
    return { groupId: this.#groupId, generationId: this.#generationId, memberId: this.#memberId };
  }

  async #join(): Promise<Calls['JoinGroup']['answer'] | string> {
    const joined = await this.#call('JoinGroup', {
      groupId: this.#groupId,
      sessionTimeout: this.#sessionTimeoutMs,
      // How long the others wait for this member to come back when the group rebalances: it has nothing to finish first.
      rebalanceTimeout: this.#sessionTimeoutMs,
      memberId: this.#memberId,
      protocolType: 'consumer',
      groupProtocols: [
        { name: PROTOCOL, metadata: MemberMetadata.encode({ version: 0, topics: [this.#topic], userData: this.#userData() }) },
      ],
    });
    if (joined.errorCode === Code.memberIdRequired) {
      this.#memberId = joined.memberId;
      return this.#join();
    }
    return this.#again(joined.errorCode) ?? joined;
  }

  /** Only the member that the coordinator made leader does this. */
  async #shareOut(
    members: Calls['JoinGroup']['answer']['members'],
  ): Promise<{ readonly memberId: string; readonly memberAssignment: Buffer }[]> {
    this.#client.cluster.invalidate(this.#topic);
    const count = (await this.#client.cluster.layout(this.#topic))?.leaders.length ?? 0;
    const said: GroupMember[] = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      userData: MemberMetadata.decode(memberMetadata).userData ?? Buffer.alloc(0),
    }));
    return this.#assign(said, count).map(({ memberId, partitions, userData }) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { [this.#topic]: partitions }, userData }),
    }));
  }

  /** Why to try again, or undefined for success. @throws FatalLogError for what no retry mends */
  #again(code: number): string | undefined {
    if (code === Code.none) return undefined;
    this.#forget(code);
    if (isCoordinatorMove(code) || code === Code.rebalanceInProgress || code === Code.illegalGeneration || code === Code.unknownMemberId)
      return describeCode(code);
    throw new FatalLogError(`group ${this.#groupId}: ${describeCode(code)}`);
  }

  #forget(code: number): void {
    if (code === Code.unknownMemberId) this.#memberId = '';
    if (isCoordinatorMove(code)) this.#coordinator = undefined;
  }

  async #call<K extends keyof Calls>(api: K, args: Calls[K]['args']): Promise<Calls[K]['answer']> {
    this.#coordinator ??= await this.#client.cluster.coordinator('group', this.#groupId, this.#connections.signal);
    const connection = this.#connections.to(this.#coordinator);
    try {
      return await connection.call(api, args);
    } catch (error) {
      if (error instanceof NoAnswerError) {
        this.#coordinator = undefined;
        await this.#connections.drop(connection);
      }
      throw error;
    }
  }
}
