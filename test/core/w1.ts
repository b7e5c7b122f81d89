import type { Event } from '../../src/core/event.ts';
import type { SendCommand } from '../../src/core/output.ts';
import type { Scope } from '../../src/core/condition.ts';
import type { Program } from '../../src/core/program.ts';
import type { UserState } from '../../src/core/state.ts';
import { emptyState, onEvent, onTimer } from '../../src/core/step.ts';
import { timersOf } from '../../src/core/timers.ts';
import { HOUR, MINUTE, PLAIN, START, journeyOf, programOf, trackerOf } from './support.ts';

/** Workload W1 of the peers, as a program: its README's rules (a), (b) and (c). */
export const w1: Program = programOf({
  activity: ['page_viewed', 'product_viewed', 'cart_item_added', 'checkout_started', 'purchase_completed', 'app_opened', 'ping'],
  silent: ['flush'],
  sums: [
    {
      name: 'cart_cents',
      type: 'cart_item_added',
      value: ({ properties }) => Math.round(Number(properties['price']) * 100) * Number(properties['qty']),
    },
  ],
  trackers: [trackerOf('cart', ['cart_item_added', 'purchase_completed'], { cap: 8 }), trackerOf('any', ['*'], { cap: 8 })],
  journeys: [
    journeyOf({
      name: 'cart_abandoned',
      pattern: { kind: 'sequence', on: { type: 'cart_item_added', where: null }, links: [], withoutId: 'cart', withinMs: HOUR },
      captureSession: true,
      send: { data: fields },
    }),
    journeyOf({
      name: 'checkout_idle',
      pattern: { kind: 'sequence', on: { type: 'checkout_started', where: null }, links: [], withoutId: 'any', withinMs: 10 * MINUTE },
      captureSession: true,
      send: { data: fields },
    }),
    journeyOf({
      name: 'ping',
      pattern: { kind: 'event', on: { type: 'ping', where: null } },
      captureSession: true,
      send: { data: fields },
    }),
  ],
  classes: new Map([['plain', PLAIN]]),
  limits: { recentEventIds: 32, matchesPerJourney: 8, keysPerTracker: 8, ledger: 32, devices: 8, profileAttributes: 32 },
});

function fields({ trigger }: Scope): Readonly<Record<string, string>> {
  const session = trigger!.session!;
  return {
    sessionStart: String(session.startMs),
    sessionEvents: String(session.count),
    cartCents: String(session.sums['cart_cents'] ?? 0),
  };
}

const TYPES = [
  ['page_viewed', 70],
  ['product_viewed', 15],
  ['cart_item_added', 8],
  ['checkout_started', 3],
  ['purchase_completed', 3],
  ['app_opened', 1],
] as const;

/** Events after W1's recipe, on one partition: sessions over hours, a fifth of the events up to 5 s late, each sent twice now and then. */
export function generate(random: () => number, users: number, count: number, repeated: number): Event[] {
  const base: { atMs: number; userId: string }[] = [];
  while (base.length < count) {
    const userId = `u${Math.floor(users * random() ** 3)}`;
    let atMs = START + Math.floor(random() * 6 * HOUR);
    do {
      base.push({ atMs, userId });
      atMs += Math.floor(-25_000 * Math.log(1 - random()));
    } while (random() > 1 / 12);
  }
  base.sort((a, b) => a.atMs - b.atMs);
  const events: Event[] = [];
  for (const [i, { atMs, userId }] of base.slice(0, count).entries()) {
    const late = random() < 0.2 ? Math.floor(random() * 5_001) : 0;
    let pick = random() * 100;
    const [type] = TYPES.find(([, share]) => (pick -= share) < 0) ?? TYPES[0];
    const properties = {
      path: `/p/${i % 97}`,
      ...(type === 'cart_item_added' ? { price: Math.round(random() * 10_000) / 100, qty: 1 + (i % 3) } : {}),
    };
    events.push(eventOf(events.length, `e${i}`, userId, type, atMs - late, properties));
    // A producer's retry: the same event, once more, right behind it.
    if (random() < repeated) events.push({ ...events.at(-1)!, offset: events.length });
  }
  events.push(eventOf(events.length, 'flush', '__flush__', 'flush', START + 30 * HOUR, {}));
  return events;
}

function eventOf(offset: number, eventId: string, userId: string, type: string, atMs: number, properties: Event['properties']): Event {
  return {
    topic: 'product-events',
    partition: 0,
    offset,
    eventId,
    userId,
    type,
    occurredAtMs: atMs,
    sentAtMs: null,
    properties,
    imported: false,
    appendedAtMs: atMs,
    traceParent: null,
  };
}

/** Historical input over one partition: before each record, one tick per due time before (record time - allowed lateness), at that due time. */
export function replayPartition(
  program: Program,
  events: readonly Event[],
  allowedLatenessMs: number,
): { commands: SendCommand[]; users: Map<string, UserState> } {
  const users = new Map<string, UserState>();
  const due = new Map<number, Set<string>>();
  const commands: SendCommand[] = [];
  let nowMs = 0;

  const take = (userId: string, state: UserState, made: readonly SendCommand[]): void => {
    users.set(userId, state);
    commands.push(...made);
    for (const { dueMs } of timersOf(state)) due.set(dueMs, (due.get(dueMs) ?? new Set()).add(userId));
  };
  const fire = (untilMs: number): void => {
    for (;;) {
      let dueMs = Infinity;
      for (const at of due.keys()) if (at < dueMs) dueMs = at;
      if (dueMs >= untilMs) return;
      for (const userId of [...due.get(dueMs)!].sort()) {
        for (;;) {
          const before = users.get(userId)!;
          const timer = timersOf(before).find((t) => t.dueMs <= dueMs);
          if (timer === undefined) break;
          const step = onTimer(before, timer, Math.max(nowMs, dueMs), program);
          take(userId, step.state, step.effects.commands);
        }
      }
      due.delete(dueMs);
    }
  };

  for (const event of events) {
    if (due.size > 0) fire(event.appendedAtMs - allowedLatenessMs);
    nowMs = Math.max(nowMs, event.appendedAtMs);
    const before = users.get(event.userId) ?? emptyState(event.userId);
    const step = onEvent(before, event, nowMs, program);
    take(event.userId, step.state, step.effects.commands);
  }
  return { commands, users };
}
