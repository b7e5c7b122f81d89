import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/core/output.ts';
import { Deliveries, type DeviceOutcome } from '../../../src/dev/tally/deliveries.ts';
import { Tally } from '../../../src/dev/tally/tally.ts';
import { commandOf, matchDue, userState, windowOf } from './samples.ts';

const trigger = { topic: 'lull.timeline', partition: 0, offset: 1, eventId: 'e1' };

function decision(over: Partial<Decision> = {}): Decision {
  return {
    userId: 'u',
    journey: 'cart_abandoned',
    step: 'remind',
    occurrence: 'e1',
    key: 'cart-1',
    outcome: 'rejected',
    reason: 'consent',
    checks: [],
    commandId: 'c1',
    channel: null,
    trigger,
    dueAtMs: 5,
    decidedAtMs: 6,
    topology: 'shop',
    topologyHash: 'h',
    ...over,
  };
}

const outcome = (commandId: string, deviceId: string | null, accepted: boolean, over: Partial<DeviceOutcome> = {}): DeviceOutcome => ({
  ...{ commandId, deviceId, accepted, final: true, reason: accepted ? 'accepted' : 'device_dead' },
  ...over,
});

describe('the tally', () => {
  it('counts sessions and what waits from the rows of the state, also when a row is read again or deleted', () => {
    const tally = new Tally();
    tally.user('a', userState('a', { sessions: 1, session: windowOf('s1') }));
    tally.user('b', userState('b', { sessions: 4 }));
    tally.user('a', userState('a', { sessions: 2, session: windowOf('s2') }));
    tally.user('a', userState('a', { sessions: 2, session: windowOf('s2') }));
    expect(tally.figures()).toMatchObject({ sessions: 6, openSessions: 1 });
    tally.user('a', null);
    expect(tally.figures()).toMatchObject({ sessions: 6, openSessions: 0 });
  });

  it('shows what a sender told the timeline and does not count it as something that a shopper did', () => {
    const tally = new Tally();
    tally.event({ eventId: 'e1', userId: 'u', type: 'app_opened', occurredAtMs: 1, properties: {} });
    tally.feedback({ eventId: 'e2', userId: 'u', type: '$device_unreachable', occurredAtMs: 2, properties: {} });
    expect(tally.figures().events).toBe(1);
    expect(tally.history('u')!.events.map((event) => event.type)).toEqual(['app_opened', '$device_unreachable']);
  });

  it('shows what happened to an item that interests somebody, and counts it on its own', () => {
    const tally = new Tally();
    const common = { occurredAtMs: 1, type: 'price_changed', properties: { sku: 'kettle' } };
    tally.told({ eventId: 'e1', userId: 'u', ...common });
    tally.told({ eventId: 'e1', userId: 'v', ...common });
    expect(tally.figures()).toMatchObject({ events: 0, told: 2 });
    expect(tally.history('u')!.events).toMatchObject([{ type: 'price_changed', of: 'item' }]);
  });

  it('tells which sessions and patterns fall due within a horizon', () => {
    const tally = new Tally();
    tally.user('a', userState('a', { matches: [matchDue(50), matchDue(100)] }));
    tally.user('b', userState('b', { matches: [matchDue(101)] }));
    tally.user('c', userState('c', { session: windowOf('s1') }));
    expect(tally.waiting(100, 98)).toEqual({ sessions: 1, patterns: 2, later: 1 });
    expect(tally.waiting(100, 99)).toEqual({ sessions: 0, patterns: 2, later: 2 });
    tally.user('a', userState('a'));
    expect(tally.waiting(100, 99)).toEqual({ sessions: 0, patterns: 0, later: 2 });
  });

  it('counts decisions by why they were not sent', () => {
    const tally = new Tally();
    tally.decision(decision());
    tally.decision(decision({ reason: 'consent' }));
    tally.decision(decision({ reason: 'cap' }));
    tally.decision(decision({ outcome: 'sent', reason: 'sent' }));
    expect(tally.figures()).toMatchObject({ decisions: 4, rejected: { consent: 2, cap: 1 } });
  });

  it('counts decisions by their journey', () => {
    const tally = new Tally();
    tally.decision(decision({ journey: 'price_drop', outcome: 'sent', reason: 'sent' }));
    tally.decision(decision({ journey: 'price_drop' }));
    tally.decision(decision({ outcome: 'exited', reason: 'goal' }));
    expect(tally.figures().journeys).toEqual({ price_drop: { sent: 1, heldBack: 1 }, cart_abandoned: { sent: 0, heldBack: 1 } });
  });

  it('never shows a push address', () => {
    const tally = new Tally();
    tally.event({
      eventId: 'e',
      userId: 'u',
      type: '$device_added',
      occurredAtMs: 1,
      properties: { deviceId: 'd1', value: 'secret address' },
    });
    tally.command(commandOf('c1'));
    tally.user(
      'u',
      userState('u', {
        devices: [
          {
            ...{ deviceId: 'd1', kind: 'webpush', value: 'secret address', permission: 'granted', zone: null, locale: null },
            ...{ appVersion: null, registeredAtMs: 1, lastSeenAtMs: 1, unreachableAtMs: null },
          },
        ],
      }),
    );
    const everything = JSON.stringify([tally.snapshot(), tally.takeChanges(), tally.history('u')]);
    expect(everything).toContain('"deviceId":"d1"');
    expect(everything).not.toContain('secret');
  });

  it('gives changes once, and forgets the oldest of what it shows but counts everything', () => {
    const tally = new Tally();
    for (let i = 0; i < 5_000; i++) {
      tally.event({ eventId: `e${i}`, userId: `u${i % 900}`, type: 'app_opened', occurredAtMs: i, properties: {} });
      tally.command(commandOf(`c${i}`));
    }
    const first = tally.takeChanges();
    expect(first.figures).toMatchObject({ events: 5_000, commands: 5_000 });
    expect(first.events.length).toBeLessThanOrEqual(60);
    expect(first.events.at(-1)!.eventId).toBe('e4999');
    expect(tally.takeChanges().events).toEqual([]);
    expect(tally.history('u0')).toBeUndefined();
    expect(tally.history('u499')!.events.map((event) => event.eventId)).toContain('e4999');
    const size = JSON.stringify(tally.snapshot()).length;
    expect(size).toBeLessThan(200_000);
  });

  it('brings a person who changed in a burst to the page a little later, not never', () => {
    const tally = new Tally();
    for (let i = 0; i < 150; i++) tally.user(`u${i}`, userState(`u${i}`));
    const seen = [1, 2, 3].flatMap(() => tally.takeChanges().people.map((person) => person.userId));
    expect(new Set(seen).size).toBe(150);
  });

  it('follows a push from waiting to its end', () => {
    const tally = new Tally();
    tally.command(commandOf('c1'));
    expect(tally.history('u')!.pushes).toMatchObject([{ commandId: 'c1', state: 'waiting', image: 'http://127.0.0.1/kettle.svg' }]);
    tally.outcome(outcome('c1', 'd1', false));
    expect(tally.history('u')!.pushes).toMatchObject([{ state: 'undelivered', reason: 'device_dead' }]);
    expect(tally.figures()).toMatchObject({ commands: 1, accepted: 0, undelivered: { device_dead: 1 } });
  });
});

describe('deliveries', () => {
  const deliveries = (): Deliveries => new Deliveries(() => undefined);

  it('waits for every device before it calls a command undelivered', () => {
    const two = deliveries();
    two.command('c', ['d1', 'd2']);
    two.outcome(outcome('c', 'd1', false));
    expect([two.unfinished, two.undelivered]).toEqual([1, {}]);
    two.outcome(outcome('c', 'd2', false, { reason: 'expired' }));
    expect([two.unfinished, two.undelivered]).toEqual([0, { expired: 1 }]);
  });

  it('counts a command once however many of its devices took it', () => {
    const two = deliveries();
    two.command('c', ['d1', 'd2']);
    two.outcome(outcome('c', 'd1', true));
    two.outcome(outcome('c', 'd2', true));
    expect([two.accepted, two.unfinished, two.undelivered]).toEqual([1, 0, {}]);
  });

  it('takes an answer that is not final for what it is', () => {
    const one = deliveries();
    one.command('c', ['d1']);
    one.outcome(outcome('c', 'd1', false, { final: false, reason: 'retry' }));
    expect(one.unfinished).toBe(1);
  });

  it('ends all devices of a command that was called back', () => {
    const two = deliveries();
    two.command('c', ['d1', 'd2']);
    two.outcome(outcome('c', null, false, { reason: 'revoked' }));
    expect([two.unfinished, two.undelivered]).toEqual([0, { revoked: 1 }]);
  });

  it('comes to commands = accepted + undelivered in whatever order commands and outcomes are read', () => {
    const world = fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(world, fc.infiniteStream(fc.nat()), (commands, order) => {
        const steps = commands.flatMap((devices, c) => [
          (it: Deliveries) => it.command(`c${c}`, Object.keys(devices)),
          ...devices.map((accepted, d) => (it: Deliveries) => it.outcome(outcome(`c${c}`, String(d), accepted))),
        ]);
        const shuffled = steps.map((step) => [order.next().value, step] as const).toSorted((a, b) => a[0] - b[0]);
        const it = deliveries();
        for (const [, step] of shuffled) step(it);
        expect(it.commands).toBe(commands.length);
        expect(it.accepted).toBe(commands.filter((devices) => devices.some(Boolean)).length);
        expect(Object.values(it.undelivered).reduce((sum, n) => sum + n, 0)).toBe(commands.length - it.accepted);
        expect(it.unfinished).toBe(0);
      }),
    );
  });
});
