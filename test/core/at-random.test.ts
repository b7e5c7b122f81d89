import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stillNeeded, withEarlier, type EarlierVersion } from '../../src/core/pinned.ts';
import type { Decision } from '../../src/core/output.ts';
import type { SendStep } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { isEmpty } from '../../src/core/step.ts';
import { decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { described, explained, timelines, topologies, versionAt, type Entry } from './at-random.ts';
import { DAY, MINUTE, START, UserLog, WIDE_LIMITS } from './support.ts';

/** A user's log under a topology that is edited. */
class Played {
  readonly log: UserLog;
  readonly #versions: readonly Program[];
  #earlier: readonly EarlierVersion[] = [];
  #own: Program;
  #edits = 0;

  constructor(versions: readonly Program[]) {
    this.#versions = versions;
    this.#own = versions[0]!;
    this.log = new UserLog(this.#own);
  }

  get isEdited(): boolean {
    return this.#edits > 0;
  }

  get own(): Program {
    return this.#own;
  }

  play(entry: Entry): void {
    const { log } = this;
    if (entry.kind === 'event') log.event(entry.type, entry.appendedAt, entry.parts);
    else if (entry.kind === 'tick') log.tick(entry.appendedAt);
    else this.#edit(entry.appendedAt);
  }

  #edit(appendedAt: number): void {
    const { log } = this;
    log.nowMs = Math.max(log.nowMs, START + appendedAt);
    const next = versionAt(this.#versions, ++this.#edits);
    this.#earlier = stillNeeded([...this.#earlier, { program: this.#own, replacedAtMs: log.nowMs }], log.nowMs);
    this.#own = next;
    log.program = withEarlier(
      next,
      this.#earlier.map(({ program }) => program),
    );
  }

  /** Until nothing is due any more. */
  drain(): void {
    const { log } = this;
    log.fired = 0;
    for (let next = log.nextTimer(); next !== null; next = log.nextTimer()) {
      log.tick(Math.max(next.dueMs, log.nowMs) - START);
      expect(log.fired).toBeLessThan(200);
    }
  }
}

/** What an event, or a timer, has made, and what is known of the log by then. */
interface Made {
  readonly made: readonly Decision[];
  /** One event, or all timers of one due time. */
  readonly moment: string;
  readonly activeUntilMs: number;
  readonly goals: readonly { readonly atMs: number; readonly offset: number }[];
  /** By event id. */
  readonly happenedAt: ReadonlyMap<string, number>;
  readonly program: Program;
  readonly log: UserLog;
  readonly stepOf: (journey: string, step: string) => SendStep | undefined;
}

/** Under the first version alone. */
function* playedBySteps([program]: readonly Program[], timeline: readonly Entry[]): Generator<Made> {
  const log = new UserLog(program!);
  const goals: { atMs: number; offset: number }[] = [];
  const happenedAt = new Map<string, number>();
  let activeUntilMs = 0;
  let said = 0;
  const stepOf = (name: string, step: string): SendStep | undefined =>
    program!.journeys.find((one) => one.name === name)?.steps.find((one): one is SendStep => one.kind === 'send' && one.name === step);
  const made = (moment: string): Made => {
    const decisions = log.decisions.slice(said);
    said = log.decisions.length;
    return { made: decisions, moment, activeUntilMs, goals, happenedAt, program: program!, log, stepOf };
  };
  for (const [i, entry] of timeline.entries()) {
    if (entry.kind === 'edit') continue;
    if (entry.kind === 'event') {
      const event = log.build(entry.type, entry.appendedAt, entry.parts);
      const atMs = Math.min(event.occurredAtMs, event.appendedAtMs);
      const isNew = !happenedAt.has(event.eventId);
      const isHistory = event.imported || START + entry.appendedAt - atMs > program!.maxEventAgeMs;
      if (isNew) happenedAt.set(event.eventId, atMs);
      if (isNew && entry.type === 'x') goals.push({ atMs, offset: event.offset });
      if (isNew && !isHistory && program!.eventTypes.get(entry.type)?.activity === true)
        activeUntilMs = Math.max(activeUntilMs, event.appendedAtMs + program!.activeMs);
      log.process(event);
      yield made(`event ${i}`);
      continue;
    }
    log.nowMs = Math.max(log.nowMs, START + entry.appendedAt);
    for (let next = log.nextTimer(); next !== null && next.dueMs <= log.nowMs; next = log.nextTimer()) {
      log.fire(next);
      yield made(`tick ${i}, due ${next.dueMs}`);
    }
  }
}

/** `FUZZ_RUNS=5000` looks further. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200);

function hold(check: (versions: readonly Program[], timeline: readonly Entry[]) => void, most?: number): void {
  const versions = most === undefined ? topologies() : topologies({ most });
  fc.assert(fc.property(versions, timelines(), check), { numRuns: RUNS, reporter: explained });
}

describe('journeys at random', () => {
  it('go on from a row as from the state itself, whatever lies between', () => {
    hold((versions, timeline) => {
      const [whole, rows] = [new Played(versions), new Played(versions)];
      for (const entry of timeline) {
        whole.play(entry);
        rows.play(entry);
        const row = encodeUserState(rows.log.state);
        rows.log.state = decodeUserState(row, 'user');
        expect(rows.log.state).toEqual(whole.log.state);
        expect(encodeUserState(whole.log.state)).toEqual(row);
      }
      const made = ({ log }: Played) => [log.commands, log.decisions, log.revocations, log.interests];
      expect(made(rows)).toEqual(made(whole));
    });
  });

  it('leave nothing behind when everybody has gone', () => {
    hold((versions, timeline) => {
      const played = new Played(versions);
      for (const entry of timeline) played.play(entry);
      const { log } = played;
      played.drain();
      expect(log.nowMs - START).toBeLessThan((timeline.at(-1)?.appendedAt ?? 0) + 20 * DAY);
      const lifetime = { sessions: 0, firstSeenAtMs: null, lastActivityAtMs: null, lastActivityAppendedAtMs: null };
      // When a journey was entered is kept where an edit has made nobody ask for it; in which session, never.
      expect(Object.values(log.state.entries).filter((mark) => mark < START || versions.length === 1)).toEqual([]);
      expect(isEmpty({ ...log.state, entries: {}, profile: {}, devices: [], consent: {}, lifetime }), described(log.state)).toBe(true);
    });
  });

  it('send nothing to who is in the app where they are not to, and hold it no longer than they may', () => {
    hold((versions, timeline) => {
      for (const { made, activeUntilMs, stepOf } of playedBySteps(versions, timeline)) {
        for (const { journey, step, outcome, reason, decidedAtMs, dueAtMs, channel } of made) {
          const { whileActive } = stepOf(journey, step) ?? { whileActive: null };
          if (whileActive === null) continue;
          if (outcome === 'sent' && activeUntilMs > decidedAtMs)
            expect([whileActive.kind, channel], `${journey}/${step}`).toEqual(['instead', 'log']);
          if (reason === 'active') expect(activeUntilMs, `${journey}/${step}`).toBeGreaterThan(decidedAtMs);
          if (reason === 'active' && whileActive.kind === 'hold')
            expect(decidedAtMs - dueAtMs, `${journey}/${step}`).toBeGreaterThanOrEqual(whileActive.atMostMs);
        }
      }
    }, 1);
  });

  it('let one message of a priority through at a moment, and no other stands back but for one that it may stand back for', () => {
    hold((versions, timeline) => {
      const sentAt = new Map<string, string>();
      for (const { made, moment, program, stepOf } of playedBySteps(versions, timeline)) {
        for (const { journey: name, step, outcome, reason, occurrence, checks } of made) {
          const { priority, shadow } = program.journeys.find((one) => one.name === name)!;
          const competes = priority !== null && !shadow && stepOf(name, step)?.class === 'marketing';
          if (reason === 'priority') {
            expect(competes, `${name}/${step}`).toBe(true);
            // What a message starts by an update comes behind it.
            const won = Number(/priority (\d+)$/.exec(checks.at(-1)!.detail)![1]);
            if (!program.journeys.some(({ steps }) => steps.some(({ kind }) => kind === 'update')))
              expect(won).toBeGreaterThanOrEqual(priority!);
          }
          if (!competes || outcome !== 'sent') continue;
          expect(sentAt.get(moment) ?? `${name}/${occurrence}`, moment).toBe(`${name}/${occurrence}`);
          sentAt.set(moment, `${name}/${occurrence}`);
        }
      }
    }, 1);
  });

  it('send nothing that a goal, a cap or the session speaks against, and nothing twice', () => {
    hold((versions, timeline) => {
      const sent: Decision[] = [];
      const entered = new Map<string, string>();
      for (const { made, goals, program, stepOf, log, happenedAt } of playedBySteps(versions, timeline)) {
        for (const decision of made) {
          const { journey: name, step, key, occurrence, outcome, decidedAtMs, trigger } = decision;
          if (outcome !== 'sent') continue;
          const journey = program.journeys.find((one) => one.name === name)!;
          const where = `${name}/${step} at ${(decidedAtMs - START) / MINUTE}`;
          expect(
            sent.map(({ commandId }) => commandId),
            where,
          ).not.toContain(decision.commandId);
          sent.push(decision);
          const fromMs = happenedAt.get(trigger.eventId);
          if (journey.cancelOn.length > 0 && journey.pattern.kind !== 'session_ended' && fromMs !== undefined)
            expect(
              goals.filter((goal) => goal.offset !== trigger.offset && goal.atMs >= fromMs),
              where,
            ).toEqual([]);
          if (program.limits !== WIDE_LIMITS) continue;
          const isCounted = (one: Decision): boolean =>
            stepOf(one.journey, one.step)?.class === 'marketing' && one.decidedAtMs > decidedAtMs - DAY;
          const [cap] = program.caps;
          if (cap !== undefined && isCounted(decision)) expect(sent.filter(isCounted).length, where).toBeLessThanOrEqual(cap.max);
          if (journey.reentry.kind !== 'session' || log.state.session === null) continue;
          const session = `${name}/${key} in ${log.state.lifetime.sessions}`;
          const isFirst = sent.filter((one) => one.journey === name && one.occurrence === occurrence).length === 1;
          if (!isFirst) continue;
          expect(entered.get(session) ?? occurrence, where).toBe(occurrence);
          entered.set(session, occurrence);
        }
      }
    }, 1);
  });

  it('tell of nobody’s items but those who are interested in them by the topology as it is, and of them in time', () => {
    hold((versions, timeline) => {
      const played = new Played(versions);
      const { log } = played;
      /** Looked at since the last edit. */
      const known = new Set<string>();
      for (const entry of timeline) {
        const item = entry.kind === 'event' ? entry.parts.properties?.['item'] : undefined;
        if (entry.kind === 'edit') known.clear();
        const told = log.interests.findLast(({ itemId }) => itemId === item)?.untilMs ?? 0;
        const [said, decided] = [log.interests.length, log.decisions.length];
        played.play(entry);
        for (const interest of log.interests.slice(said)) {
          const before = log.interests.slice(0, log.interests.indexOf(interest)).findLast(({ itemId }) => itemId === interest.itemId);
          expect(interest.untilMs, 'said twice').not.toBe(played.isEdited ? -1 : (before?.untilMs ?? 0));
        }
        if (typeof item !== 'string' || entry.kind !== 'event') continue;
        if (entry.type !== 'price') known.add(item);
        const isOfItem = (name: string): boolean => played.own.journeys.some((one) => one.name === name && one.pattern.kind === 'item');
        const begun = log.decisions
          .slice(decided)
          .filter(({ journey, trigger }) => isOfItem(journey) && trigger.eventId === entry.parts.id);
        // A change that is late may find an interest that has ended since.
        const { at, appendedAt } = entry.parts;
        const isLate = Math.min(at!, appendedAt!) < entry.appendedAt;
        if (begun.length > 0 && known.has(item) && !isLate) expect(told, `of ${item}`).toBeGreaterThan(START + entry.appendedAt);
      }
    });
  });
});
