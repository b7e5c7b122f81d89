import type { Revocation, SendCommand } from '../core/output.ts';
import type { Headers } from '../log/port.ts';

/**
 * Headers of records on the dispatch topic: what a sender must know of a record that it does not decode. `channel` skips what is another sender's;
 * kind, command id, collapse key and devices let revocations and newer messages overtake while only headers are read.
 */
export interface DispatchHeader {
  readonly kind: 'command' | 'revocation';
  readonly channel: string;
  readonly commandId: string;
  readonly collapseKey: string | null;
  readonly deviceIds: readonly string[];
}

export function commandHeaders(command: SendCommand): Headers {
  return {
    kind: Buffer.from('command'),
    channel: Buffer.from(command.channel),
    'command-id': Buffer.from(command.commandId),
    ...(command.collapseKey === null ? {} : { 'collapse-key': Buffer.from(command.collapseKey) }),
    devices: Buffer.from(JSON.stringify(command.devices.map((device) => device.deviceId))),
    ...(command.traceParent === null ? {} : { traceparent: Buffer.from(command.traceParent) }),
  };
}

export function revocationHeaders(revocation: Revocation): Headers {
  return {
    kind: Buffer.from('revocation'),
    channel: Buffer.from(revocation.channel),
    'command-id': Buffer.from(revocation.commandId),
  };
}

/** undefined where they are not ours: the record is then poison. */
export function parseDispatchHeaders(headers: Headers | undefined): DispatchHeader | undefined {
  const text = (name: string): string | undefined => headers?.[name]?.toString('utf8');
  const kind = text('kind');
  const channel = text('channel');
  const commandId = text('command-id');
  if ((kind !== 'command' && kind !== 'revocation') || channel === undefined || commandId === undefined) return undefined;
  const deviceIds = parseIds(text('devices'));
  if (deviceIds === undefined) return undefined;
  return { kind, channel, commandId, collapseKey: text('collapse-key') ?? null, deviceIds };
}

function parseIds(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return [];
  try {
    const ids: unknown = JSON.parse(text);
    return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : undefined;
  } catch {
    return undefined;
  }
}
