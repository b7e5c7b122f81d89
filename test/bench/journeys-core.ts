import type { Event } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import type { UserState } from '../../src/core/state.ts';
import { emptyState, onEvent, onTimer } from '../../src/core/step.ts';
import { nextDueMs, nextTimer } from '../../src/core/timers.ts';
import type { BenchEvent } from './w1-events.ts';

/** What a run through the core alone has cost, and what it left behind. */
export interface CoreRun {
  readonly nsPerEvent: number;
  readonly commands: number;
  readonly matchesPerUser: number;
}

/** As the processor makes them of what it reads. */
export function coreEvents(events: Iterable<BenchEvent>): readonly Event[] {
  return [...events].map((event, offset) => ({
    ...event,
    ...{ topic: 'events', partition: 0, offset, sentAtMs: null, imported: false, appendedAtMs: event.occurredAtMs, traceParent: null },
  }));
}

/** Each user's due timers before the user's next event. CPU time of this process: the machine may be busy. */
export function runCore(program: Program, events: readonly Event[]): CoreRun {
  const users = new Map<string, UserState>();
  let [nowMs, commands] = [0, 0];
  const started = process.cpuUsage();
  for (const event of events) {
    nowMs = Math.max(nowMs, event.appendedAtMs);
    let state = users.get(event.userId) ?? emptyState(event.userId);
    for (let dueMs = nextDueMs(state); dueMs !== null && dueMs <= nowMs; dueMs = nextDueMs(state)) {
      const step = onTimer(state, nextTimer(state)!, dueMs, program);
      state = step.state;
      commands += step.effects.commands.length;
    }
    const step = onEvent(state, event, nowMs, program);
    commands += step.effects.commands.length;
    users.set(event.userId, step.state);
  }
  const { user, system } = process.cpuUsage(started);
  let matches = 0;
  for (const state of users.values()) matches += state.matches.length;
  return {
    nsPerEvent: Math.round(((user + system) * 1_000) / events.length),
    commands,
    matchesPerUser: Number((matches / users.size).toFixed(1)),
  };
}
