import { FatalLogError } from '../errors.ts';
import type { Generation, GroupMembership, MembershipOptions } from '../port.ts';
import type { MemoryBroker } from './broker.ts';

export class MemoryMembership implements GroupMembership {
  readonly #broker: MemoryBroker;
  readonly #options: MembershipOptions;
  #memberId: string | undefined;
  #current: Generation | undefined;

  constructor(broker: MemoryBroker, options: MembershipOptions) {
    this.#broker = broker;
    this.#options = options;
  }

  async join(handlers: {
    readonly onGeneration: (generation: Generation) => void;
    readonly onFatal: (error: Error) => void;
  }): Promise<void> {
    const { groupId, topic, userData, assign } = this.#options;
    if (this.#memberId !== undefined) throw new Error(`group ${groupId}: this membership has joined already`);
    const spec = this.#broker.topics.get(topic)?.spec;
    if (spec === undefined) throw new FatalLogError(`group ${groupId} cannot be joined: topic ${topic} does not exist`);
    const memberId = this.#broker.groups.knownOrNew(groupId, this.#options.memberId);
    this.#memberId = memberId;
    let delivered = Promise.resolve();
    this.#broker.groups.join(groupId, {
      memberId,
      topic,
      userData: userData ?? (() => Buffer.alloc(0)),
      assign,
      partitionCount: spec.partitions,
      onGeneration: (generation) => {
        this.#current = generation;
        // In a later turn: the handler of one member must not run inside of another member's `join` or `leave`.
        delivered = delivered.then(() => {
          if (this.#memberId !== undefined) handlers.onGeneration(generation);
        });
        delivered.catch((error: unknown) => handlers.onFatal(error instanceof Error ? error : new Error(String(error))));
      },
    });
    await delivered;
  }

  current(): Generation | undefined {
    const { groupId } = this.#options;
    return this.#memberId !== undefined && this.#broker.groups.has(groupId, this.#memberId) ? this.#current : undefined;
  }

  rejoin(): void {
    if (this.#memberId !== undefined) this.#broker.groups.rejoin(this.#options.groupId, this.#memberId);
  }

  async leave(): Promise<void> {
    const memberId = this.#memberId;
    this.#memberId = undefined;
    if (memberId !== undefined) this.#broker.groups.remove(this.#options.groupId, memberId);
  }
}
