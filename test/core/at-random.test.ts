import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stillNeeded, withEarlier, type EarlierVersion } from '../../src/core/pinned.ts';
import type { Program } from '../../src/core/program.ts';
import { isEmpty } from '../../src/core/step.ts';
import { decodeUserState, encodeUserState } from '../../src/processor/user-state-codec.ts';
import { described, explained, timelines, topologies, versionAt, type Entry } from './at-random.ts';
import { DAY, MINUTE, START, UserLog } from './support.ts';

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
      const entries = versions.length === 1 ? log.state.entries : {};
      expect(isEmpty({ ...log.state, entries, profile: {}, devices: [], consent: {}, lifetime }), described(log.state)).toBe(true);
    });
  });

  it('send nothing to who is in the app where they are not to, nor more than a cap allows, nor two of a priority at a moment', () => {
    hold((versions, timeline) => {
      const played = new Played(versions);
      const { log } = played;
      const [program] = versions as [Program];
      let activeMs = -Infinity;
      const ids = new Set<string>();
      let moment = '';
      const sentIn = new Map<string, Set<string>>();
      let sent = 0;
      const check = (): void => {
        for (const command of log.commands.slice(sent)) {
          const journey = program.journeys.find(({ name }) => name === command.journey)!;
          const step = journey.steps.find(({ name }) => name === command.step)!;
          if (step.kind !== 'send') throw new Error();
          const where = `${command.journey}/${command.step} at ${(command.decidedAtMs - START) / MINUTE}`;
          if (step.whileActive !== null && activeMs > command.decidedAtMs)
            expect([step.whileActive.kind, command.channel], where).toEqual(['instead', 'log']);
          expect(journey.shadow, where).toBe(false);
          if (journey.priority !== null && step.class === 'marketing') {
            const others = sentIn.get(moment) ?? new Set<string>();
            sentIn.set(moment, others.add(`${command.journey}/${command.occurrence}`));
            expect([...others], where).toHaveLength(1);
          }
          const [cap] = program.caps;
          const counted = log.commands.filter(
            ({ class: name, decidedAtMs }) => name === 'marketing' && decidedAtMs > command.decidedAtMs - DAY,
          );
          if (cap !== undefined && command.class === 'marketing' && program.limits.ledger > 100)
            expect(counted.length, where).toBeLessThanOrEqual(cap.max);
        }
        sent = log.commands.length;
      };
      timeline.forEach((entry, i) => {
        if (entry.kind === 'event' && !ids.has(entry.parts.id!)) {
          ids.add(entry.parts.id!);
          const isOld = entry.parts.imported === true || entry.appendedAt - entry.parts.at! > DAY;
          if (!isOld && program.eventTypes.get(entry.type)?.activity === true) activeMs = START + entry.appendedAt + program.activeMs;
        }
        if (entry.kind === 'edit') return;
        if (entry.kind === 'event') {
          moment = `event ${i}`;
          played.play(entry);
          check();
          return;
        }
        log.nowMs = Math.max(log.nowMs, START + entry.appendedAt);
        for (let next = log.nextTimer(); next !== null && next.dueMs <= log.nowMs; next = log.nextTimer()) {
          moment = `tick ${i} ${next.dueMs}`;
          log.fire(next);
          check();
        }
      });
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
        if (begun.length > 0 && known.has(item) && entry.parts.at! >= entry.appendedAt)
          expect(told, `of ${item}`).toBeGreaterThan(START + Math.min(entry.parts.at!, entry.appendedAt));
      }
    });
  });
});
