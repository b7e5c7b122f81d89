import { randomUUID } from 'node:crypto';
import type { SendCommand, TargetDevice } from '../../src/core/output.ts';

/** A command worth an hour, decided just now. */
export function command(changes: Partial<SendCommand> = {}): SendCommand {
  const now = Date.now();
  return {
    commandId: randomUUID(),
    app: 'shop',
    userId: 'user-1',
    journey: 'cart_abandoned',
    step: 'remind',
    occurrence: 'event-1',
    class: 'marketing',
    promise: 'at_most_once',
    category: 'reminders',
    channel: 'fcm',
    trigger: { topic: 'lull.timeline', partition: 0, offset: 1, eventId: 'event-1' },
    dueAtMs: now,
    decidedAtMs: now,
    expiresAtMs: now + 3_600_000,
    ttlMs: 3_600_000,
    collapseKey: null,
    content: { title: 'Your cart is waiting', body: 'Two things are still in it.', url: 'https://shop.example/cart', image: null },
    data: { journey: 'cart_abandoned' },
    devices: [device()],
    topologyHash: 'hash',
    traceParent: null,
    ...changes,
  };
}

export function device(changes: Partial<TargetDevice> = {}): TargetDevice {
  return { deviceId: 'device-1', kind: 'fcm', value: 'token-of-device-1', ...changes };
}
