import type { Event } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import type { UserState } from '../../src/core/state.ts';
import { emptyState, onEvent } from '../../src/core/step.ts';
import { decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { generate, w1 } from '../core/w1.ts';

/**
 * What the pure core costs, per event, on workload W1 in memory; and the row codec beside it. (What many loaded journeys cost: `npm run bench -- journeys`.)
 * Rows are measured twice: of a hundred users, whose states stay in the processor's caches as those of a batch nearly do, and of all, whose do not.
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

const { users } = play(w1);
const states = [...users.values()];
const rows = states.map(encodeUserState);
/** Spread over all: who comes first comes often, and has a large row. */
const some = states.filter((_, i) => i % Math.floor(states.length / 100) === 0);
const each = (of: readonly UserState[], run: (state: UserState, row: Buffer) => unknown): number => {
  const from = of.map((state) => ({ state, row: encodeUserState(state) }));
  const rounds = Math.ceil(50_000 / of.length);
  return Math.round(
    best(() => {
      const started = cpuNs();
      for (let i = 0; i < rounds; i++) for (const { state, row } of from) run(state, row);
      return (cpuNs() - started) / (rounds * of.length);
    }),
  );
};
const encode = (state: UserState): unknown => encodeUserState(state);
const decode = (state: UserState, row: Buffer): unknown => decodeUserState(row, state.userId);
/** Of the heap, apart from the rows' own bytes. The median: a collection in between makes it less than nothing. */
const allocated = (run: (state: UserState, row: Buffer) => unknown): number => {
  const from = some.map((state) => ({ state, row: encodeUserState(state) }));
  const bytes = Array.from({ length: 51 }, () => {
    const before = process.memoryUsage().heapUsed;
    for (const { state, row } of from) run(state, row);
    return (process.memoryUsage().heapUsed - before) / from.length;
  });
  return Math.round(bytes.sort((a, b) => a - b)[25]!);
};
const sizes = rows.map((row) => row.length).sort((a, b) => a - b);

console.log(
  JSON.stringify({
    events: events.length,
    users: states.length,
    onEventNs: Math.round(best(() => play(w1).ns)),
    mapLookupNs: Math.round(best(map)),
    encodeNs: { some: each(some, encode), all: each(states, encode), heapBytes: allocated(encode) },
    decodeNs: { some: each(some, decode), all: each(states, decode), heapBytes: allocated(decode) },
    rowBytes: { p50: sizes[sizes.length >> 1], p99: sizes[Math.floor(sizes.length * 0.99)], max: sizes.at(-1) },
  }),
);
