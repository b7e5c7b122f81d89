import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Simulation } from '../../src/testing/simulation.ts';
import { compileTopology } from '../../src/topology/compile.ts';

const W1 = path.join(import.meta.dirname, '../../topologies/w1');
const START = Date.parse('2025-06-02T08:00:00Z');
const LATE_MS = 5_000;
const MINUTE = 60_000;

interface Occurrence {
  readonly type: string;
  readonly atMs: number;
  readonly price: number;
  readonly qty: number;
}

interface Command {
  readonly rule: string;
  readonly trigger: number;
  readonly atMs: number;
  readonly data: Readonly<Record<string, string>>;
}

/** The workload's rules as its README states them: set conditions over the whole history, sessions in the order of the log. */
function reference(events: readonly Occurrence[]): Command[] {
  const commands: Command[] = [];
  const sessions = sessionsOf(events);
  const isLater = (f: number, c: number) => events[f]!.atMs > events[c]!.atMs || (events[f]!.atMs === events[c]!.atMs && f > c);
  events.forEach((trigger, c) => {
    const rule = trigger.type === 'cart_item_added' ? 'cart_abandoned' : trigger.type === 'checkout_started' ? 'checkout_idle' : null;
    if (rule === null) return;
    const atMs = trigger.atMs + (rule === 'cart_abandoned' ? 60 : 10) * MINUTE;
    const negates = (type: string) => rule === 'checkout_idle' || type === 'cart_item_added' || type === 'purchase_completed';
    if (events.some((event, f) => f !== c && negates(event.type) && isLater(f, c) && event.atMs < atMs)) return;
    commands.push({ rule, trigger: c, atMs, data: sessions[c]! });
  });
  return commands.sort((a, b) => a.trigger - b.trigger || (a.rule < b.rule ? -1 : 1));
}

function sessionsOf(events: readonly Occurrence[]): Command['data'][] {
  let session = { start: 0, last: -Infinity, count: 0, cents: 0 };
  return events.map(({ type, atMs, price, qty }) => {
    if (atMs > session.last + 30 * MINUTE) session = { start: atMs, last: atMs, count: 0, cents: 0 };
    session.start = Math.min(session.start, atMs);
    session.last = Math.max(session.last, atMs);
    session.count++;
    if (type === 'cart_item_added') session.cents += Math.round(price * 100) * qty;
    return { sessionStart: String(session.start), sessionEvents: String(session.count), cartCents: String(session.cents) };
  });
}

const propertiesOf = ({ type, price, qty }: Occurrence) => ({
  path: '/p',
  ...(type === 'cart_item_added' ? { sku: 's', price, qty } : type === 'page_viewed' ? { qty } : { price }),
});

const TYPES = ['page_viewed', 'cart_item_added', 'cart_item_added', 'checkout_started', 'checkout_started', 'purchase_completed'] as const;

const near = (ms: number) => fc.integer({ min: -LATE_MS, max: LATE_MS }).map((by) => ms + by);

/** Gaps of all sizes that matter, crowded around the deadlines; a third of the events up to 5 s late, as the generator makes them. */
const history = fc.array(
  fc.record({
    type: fc.constantFrom(...TYPES),
    gapMs: fc.oneof(
      fc.integer({ min: 0, max: LATE_MS }),
      fc.constantFrom(0, 1, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE),
      near(10 * MINUTE),
      near(60 * MINUTE),
      fc.integer({ min: 0, max: 70 * MINUTE }),
    ),
    lateMs: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: LATE_MS }) }),
    price: fc.integer({ min: 100, max: 19_999 }).map((cents) => cents / 100),
    qty: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 25 },
);

describe('the workload W1', () => {
  it('gives exactly the commands of its definition, on historical input', () => {
    const compiled = compileTopology(W1, { app: 'test' });
    if (!compiled.ok) throw new Error('w1 is broken');
    fc.assert(
      fc.property(history, (drawn) => {
        let baseMs = START;
        const events = drawn.map(({ type, gapMs, lateMs, price, qty }) => ({ type, atMs: (baseMs += gapMs) - lateMs, price, qty }));
        const simulation = new Simulation(compiled.program, START - LATE_MS, { allowedLatenessMs: LATE_MS });
        events.forEach((event, i) => {
          const times = { occurredAtMs: event.atMs, sentAtMs: null };
          // The record's time is the event's own time: there, time does not run backwards by more than the lateness.
          simulation.append(
            { eventId: String(i), userId: 'u', type: event.type, ...times, properties: propertiesOf(event), imported: false },
            event.atMs,
          );
        });
        simulation.passTo(START + 60 * 60 * MINUTE);
        const got = simulation.output.commands.map((command) => ({
          rule: command.journey,
          trigger: Number(command.trigger.eventId),
          atMs: command.dueAtMs,
          data: command.data,
        }));
        expect(got.sort((a, b) => a.trigger - b.trigger || (a.rule < b.rule ? -1 : 1))).toEqual(reference(events));
      }),
      { numRuns: 1500 },
    );
  });
});
