import { createHash } from 'node:crypto';
import type { Codec } from '../avro/codec.ts';
import type { ProductEvent } from '../avro/records.ts';
import type { SendCommand, TargetDevice } from '../core/output.ts';
import type { OutRecord } from '../log/port.ts';

export interface FeedbackTopics {
  readonly outcomes: string;
  readonly timeline: string;
}

/** What came of one unit, or of a command without devices (`device` null). */
export interface UnitOutcome {
  readonly device: TargetDevice | null;
  readonly class: string;
  readonly code: string | null;
  readonly final: boolean;
  readonly attempt: number;
  readonly providerMessageId: string | null;
  readonly atMs: number;
}

/**
 * Makes the records that a sender writes about its calls: one outcome each, and for the user's timeline what the processor acts on. Ids of events are made from
 * the command's, so that the timeline's own check drops a repetition. All go to the command's partition: it is the user's in every topic.
 */
export class Feedback {
  readonly #codec: Codec;
  readonly #topics: FeedbackTopics;
  readonly #provider: string;
  readonly #partition: number;

  constructor(codec: Codec, topics: FeedbackTopics, provider: string, partition: number) {
    this.#codec = codec;
    this.#topics = topics;
    this.#provider = provider;
    this.#partition = partition;
  }

  outcome(command: SendCommand, outcome: UnitOutcome): OutRecord {
    const { device, class: outcomeClass, code, final, attempt, providerMessageId, atMs } = outcome;
    const value = this.#codec.encode('lull.v1.Outcome', {
      commandId: command.commandId,
      userId: command.userId,
      channel: command.channel,
      device: device && { deviceId: device.deviceId, kind: device.kind, hash: addressHash(device.value) },
      provider: this.#provider,
      ...{ class: outcomeClass, final, code, providerMessageId, attempt, atMs },
    });
    return { topic: this.#topics.outcomes, partition: this.#partition, key: Buffer.from(command.userId), value };
  }

  /** Once per command, with the first device whose provider took it. */
  accepted(command: SendCommand, deviceId: string, code: string, atMs: number): OutRecord {
    const { commandId } = command;
    return this.#event(command, `$accepted:${commandId}`, '$accepted', atMs, { commandId, deviceId, reason: code });
  }

  /** Once per command, when every device has its final outcome and no provider took it. `unknown` where it may have arrived all the same. */
  undelivered(command: SendCommand, reason: string, atMs: number): OutRecord {
    const { commandId } = command;
    return this.#event(command, `$undelivered:${commandId}`, '$undelivered', atMs, { commandId, reason });
  }

  /** `sentAtMs` lets the processor ignore it for a device that has registered again since; `value` for one with a new address. */
  unreachable(command: SendCommand, device: TargetDevice, code: string, sentAtMs: number, atMs: number): OutRecord {
    const { commandId } = command;
    const { deviceId, value } = device;
    const properties = { deviceId, sentAt: sentAtMs, reason: code, value, commandId };
    return this.#event(command, `$device_unreachable:${commandId}:${deviceId}`, '$device_unreachable', atMs, properties);
  }

  #event(command: SendCommand, eventId: string, type: string, occurredAt: number, properties: ProductEvent['properties']): OutRecord {
    const { userId, traceParent } = command;
    return {
      topic: this.#topics.timeline,
      partition: this.#partition,
      key: Buffer.from(userId),
      value: this.#codec.encode('lull.v1.ProductEvent', { eventId, userId, type, occurredAt, properties }),
      ...(traceParent !== null && { headers: { traceparent: Buffer.from(traceParent) } }),
    };
  }
}

/** For correlation only: an address is a credential. */
export function addressHash(value: string): string {
  return createHash('sha256').update(value).digest('base64url').slice(0, 22);
}
