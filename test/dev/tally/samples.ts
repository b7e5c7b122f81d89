import type { SendCommand } from '../../../src/core/output.ts';
import type { UserState } from '../../../src/core/state.ts';
import { emptyState } from '../../../src/core/step.ts';

const trigger = { topic: 'lull.timeline', partition: 0, offset: 1, eventId: 'e1' };

/** A user of whom nothing is known, but for what is given. */
export function userState(userId: string, over: Partial<UserState> & { readonly sessions?: number } = {}): UserState {
  const { sessions = 0, ...rest } = over;
  const empty = emptyState(userId);
  return { ...empty, lifetime: { ...empty.lifetime, sessions }, ...rest };
}

export function windowOf(id: string): NonNullable<UserState['session']> {
  return { id, opened: trigger, startMs: 1, lastMs: 2, lastAppendedAtMs: 2, count: 3, counts: {}, sums: {}, closeTimerMs: 9 };
}

export function matchDue(dueMs: number): UserState['matches'][number] {
  return {
    ...{ journey: 'cart_abandoned', key: '', occurrence: 'e1', dueMs, wait: null },
    trigger: { ...trigger, type: 'x', occurredAtMs: 1, appendedAtMs: 1, properties: {}, session: null, traceParent: null },
  };
}

export function commandOf(commandId: string, userId = 'u', deviceIds: readonly string[] = ['d1']): SendCommand {
  return {
    commandId,
    app: 'lull',
    userId,
    journey: 'cart_abandoned',
    step: 'remind',
    occurrence: 'e1',
    class: 'marketing',
    promise: 'at_most_once',
    category: 'reminders',
    channel: 'webpush',
    trigger,
    dueAtMs: 5,
    decidedAtMs: 6,
    expiresAtMs: 60,
    ttlMs: 54,
    collapseKey: null,
    content: { title: 'Still there', body: 'Your cart', url: null, image: 'http://127.0.0.1/kettle.svg' },
    data: {},
    devices: deviceIds.map((deviceId) => ({ deviceId, kind: 'webpush', value: 'secret address' })),
    topologyHash: 'h',
    traceParent: null,
  };
}
