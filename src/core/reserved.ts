import { own } from './own.ts';
import type { Event, Scalar } from './event.ts';

/**
 * Reserved events: product events whose type starts with `$`. This table is their documentation: what each carries, and who may write it. Anything else with a `$`
 * is refused, so that nobody forges what Lull writes itself. None of them counts as activity.
 */
export interface ReservedEvent {
  readonly type: string;
  readonly purpose: string;
  /** `product`: the customer's services and apps. `sender`: Lull's senders, or whoever delivers in their place. `device`: the notified device, through the product. */
  readonly writer: 'product' | 'sender' | 'device';
  /** Properties that are not listed here are ignored; `$profile` takes any. */
  readonly properties: Readonly<Record<string, ReservedProperty>>;
}

export interface ReservedProperty {
  readonly type: 'string' | 'long';
  readonly required: boolean;
  /** Where only some strings are allowed. */
  readonly values?: readonly string[];
  readonly purpose: string;
}

const must = (purpose: string, values?: readonly string[]): ReservedProperty => property('string', true, purpose, values);
const may = (purpose: string, values?: readonly string[]): ReservedProperty => property('string', false, purpose, values);

function property(type: 'string' | 'long', required: boolean, purpose: string, values?: readonly string[]): ReservedProperty {
  return { type, required, purpose, ...(values === undefined ? {} : { values }) };
}

const command = { commandId: must('of the send command') };
const onDevice = { ...command, deviceId: may('the device that says so; it counts as seen') };

export const RESERVED_EVENTS: readonly ReservedEvent[] = [
  {
    type: '$profile',
    purpose: 'Attributes of the user. They merge into what is known; null deletes one.',
    writer: 'product',
    properties: {},
  },
  {
    type: '$device_added',
    purpose:
      'A device can be reached, or what is known of it has changed. Says again that an unreachable device is there. A token belongs to one device.',
    writer: 'product',
    properties: {
      deviceId: must('stable over new tokens'),
      kind: must('the channel that reaches it: fcm, webpush'),
      value: must('the token, or the subscription as JSON'),
      permission: may('of the operating system; default: as before, or unknown', ['granted', 'denied', 'unknown']),
      zone: may('IANA time zone'),
      locale: may('BCP 47 language tag'),
      appVersion: may('of the app'),
    },
  },
  {
    type: '$device_removed',
    purpose: 'The user logged out or uninstalled: the device is forgotten.',
    writer: 'product',
    properties: { deviceId: must('of the device') },
  },
  {
    type: '$device_unreachable',
    purpose: 'A provider says that the address is dead. Ignored where the device has registered again since the message was sent.',
    writer: 'sender',
    properties: {
      deviceId: must('of the device'),
      sentAt: property('long', true, 'when the message was sent, milliseconds since the epoch'),
      reason: must("the provider's answer, as a code"),
      value: may('the address that was used; where it is no longer the one of the device, the event is ignored'),
    },
  },
  {
    type: '$consent',
    purpose: 'The user opted in or out of a category, on one channel or on all. The latest by event time wins.',
    writer: 'product',
    properties: {
      category: must('a consent category of the topology'),
      state: must('the choice', ['in', 'out']),
      channel: may('only on this channel; default: on all'),
      reason: may('why, as a code'),
    },
  },
  {
    type: '$accepted',
    purpose: 'A provider took the message for at least one device.',
    writer: 'sender',
    properties: { ...command, deviceId: may('the first device'), reason: may("the provider's answer, as a code") },
  },
  {
    type: '$undelivered',
    purpose: 'Final: the message went to no device. Its place under the caps is free again, unless the reason is `unknown`.',
    writer: 'sender',
    properties: { ...command, reason: may("the provider's answer, or the sender's, as a code") },
  },
  { type: '$delivered', purpose: 'A device confirmed the message.', writer: 'device', properties: onDevice },
  { type: '$opened', purpose: 'The user opened the notification.', writer: 'device', properties: onDevice },
  { type: '$clicked', purpose: 'The user followed a link or an action of the message.', writer: 'device', properties: onDevice },
  { type: '$dismissed', purpose: 'The user dismissed the notification.', writer: 'device', properties: onDevice },
];

/** What a device says of a message; with a `$` before it, the type. */
export const ANSWERS = ['delivered', 'opened', 'clicked', 'dismissed'] as const;
export type Answer = (typeof ANSWERS)[number];

const BY_TYPE: ReadonlyMap<string, ReservedEvent> = new Map(RESERVED_EVENTS.map((reserved) => [reserved.type, reserved]));

/** A reserved event that cannot be taken: the record is dead-lettered, alone, with this message. It holds no value of the event: those may be personal. */
export class ReservedEventError extends Error {
  override readonly name = 'ReservedEventError';
  /** A stable word, for headers and metrics. */
  readonly reason: 'unknown_reserved_event' | 'malformed_reserved_event' | 'too_many_attributes';

  constructor(reason: ReservedEventError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export function isReserved(type: string): boolean {
  return type.startsWith('$');
}

/** @throws ReservedEventError where the type is not in the table, or a property is missing or of the wrong type */
export function checkReserved(event: Event): void {
  const reserved = BY_TYPE.get(event.type);
  if (reserved === undefined)
    throw new ReservedEventError(
      'unknown_reserved_event',
      `${event.type} is not among the reserved events, and types that start with $ are Lull's own`,
    );
  for (const [name, expected] of Object.entries(reserved.properties)) {
    const fault = faultOf(own(event.properties, name) ?? null, expected);
    if (fault === null) continue;
    const message = `${event.type}: property ${name} ${fault} (${expected.purpose})`;
    throw new ReservedEventError('malformed_reserved_event', message);
  }
}

function faultOf(value: Scalar, { type, required, values }: ReservedProperty): string | null {
  if (value === null) return required ? 'is missing' : null;
  if (type === 'long' ? !Number.isSafeInteger(value) : typeof value !== 'string') return `is a ${kindOf(value)}, expected a ${type}`;
  if (required && value === '') return 'is empty';
  if (values !== undefined && !values.includes(String(value))) return `must be one of ${values.join(', ')}`;
  return null;
}

/** A string property of a checked event. */
export function textOf(event: Event, name: string): string | null {
  const value = own(event.properties, name);
  return typeof value === 'string' ? value : null;
}

function kindOf(value: Scalar): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'long' : 'double';
  return value === null ? 'null' : typeof value;
}
