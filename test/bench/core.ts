import type { Event } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import type { UserState } from '../../src/core/state.ts';
import { emptyState, onEvent } from '../../src/core/step.ts';
import { decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { journeyOf, trackerOf } from '../core/support.ts';
import { generate, w1 } from '../core/w1.ts';

/**
 * What the pure core costs, per event, on workload W1 in memory; the row codec beside it; and what 200 loaded journeys cost an event that concerns few of them.
 * `node test/bench/core.ts [events]`. CPU time (the machine may be busy), best of several rounds; figures, no assertions.
 */

function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};

const count = Number(process.argv[2] ?? 200_000);
const events = generate(random, count / 20, count, 0);
const best = (run: () => number): number => Math.min(...Array.from({ length: 8 }, run));

/** Only events: timers belong to the processor's queue. Without them matches are never fired, so the states are as full as they get. */
function play(program: Program): { ns: number; users: Map<string, UserState> } {
  const users = new Map<string, UserState>();
  const started = cpuNs();
  let nowMs = 0;
  for (const event of events) {
    nowMs = Math.max(nowMs, event.appendedAtMs);
    users.set(event.userId, onEvent(users.get(event.userId) ?? emptyState(event.userId), event, nowMs, program).state);
  }
  return { ns: (cpuNs() - started) / events.length, users };
}

function map(): number {
  const users = new Map<string, Event>();
  const started = cpuNs();
  for (const event of events) if (users.get(event.userId)?.eventId !== event.eventId) users.set(event.userId, event);
  return (cpuNs() - started) / events.length;
}

/** Journeys on types that never occur here. */
const many: Program = {
  ...w1,
  eventTypes: new Map([
    ...w1.eventTypes,
    ...Array.from({ length: 200 }, (_, i) => [`other${i}`, { type: `other${i}`, activity: true }] as const),
  ]),
  trackers: [...w1.trackers, ...Array.from({ length: 200 }, (_, i) => trackerOf(`t${i}`, [`other${i}`]))],
  journeys: [
    ...w1.journeys,
    ...Array.from({ length: 200 }, (_, i) =>
      journeyOf({
        name: `other${i}`,
        pattern: { kind: 'absence', on: { type: `other${i}`, where: null }, trackerId: `t${i}`, withinMs: 1_000 },
      }),
    ),
  ],
};

const { users } = play(w1);
const states = [...users.values()];
const rows = states.map(encodeUserState);
const each = (run: () => unknown): number => {
  const started = cpuNs();
  for (let i = 0; i < 5; i++) run();
  return (cpuNs() - started) / (5 * states.length);
};
const sizes = rows.map((row) => row.length).sort((a, b) => a - b);

console.log(
  JSON.stringify({
    events: events.length,
    users: states.length,
    onEventNs: Math.round(best(() => play(w1).ns)),
    onEventNsWith200MoreJourneys: Math.round(best(() => play(many).ns)),
    mapLookupNs: Math.round(best(map)),
    encodeNs: Math.round(best(() => each(() => states.map(encodeUserState)))),
    decodeNs: Math.round(best(() => each(() => rows.map((row, i) => decodeUserState(row, states[i]!.userId))))),
    rowBytes: { p50: sizes[sizes.length >> 1], p99: sizes[Math.floor(sizes.length * 0.99)], max: sizes.at(-1) },
  }),
);
