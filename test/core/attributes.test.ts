import { describe, expect, it } from 'vitest';
import { newDates } from '../../src/core/attributes.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { DatePattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import { onTopology } from '../../src/core/step.ts';
import { DAY, HOUR, START, UserLog, journeyOf, programOf, sendOf, trackerOf } from './support.ts';

function dates(parts: Partial<DatePattern> = {}, more: Partial<Journey> = {}): Program {
  const pattern: DatePattern = { kind: 'date', attribute: 'ends', offsetMs: 0, atMinutes: null, yearly: false, ...parts };
  return programOf({ journeys: [journeyOf({ name: 'd', pattern, ...more })], timeZone: 'Europe/Berlin' });
}

const at = (text: string): number => Date.parse(text) - START;
const ends = (log: UserLog, appendedAt: number, value: number | string | null, imported = false): void => {
  log.event('$profile', appendedAt, { properties: { ends: typeof value === 'number' ? START + value : value }, imported });
};

describe('a date of an attribute', () => {
  it('comes when it is there, or so long before or after', () => {
    for (const [offsetMs, dueMs] of [
      [0, 10 * DAY],
      [-3 * DAY, 7 * DAY],
      [2 * DAY, 12 * DAY],
    ] as const) {
      const log = new UserLog(dates({ offsetMs }));
      ends(log, 0, 10 * DAY);
      log.tick(dueMs - 1);
      expect(log.outcomes).toEqual([]);
      log.tick(dueMs);
      log.tick(30 * DAY);
      expect(log.outcomes).toEqual([`d ${START + 10 * DAY} sent`]);
    }
  });

  it('moves with the attribute, and is gone with it', () => {
    const log = new UserLog(dates({ offsetMs: -DAY }));
    ends(log, 0, 5 * DAY);
    ends(log, DAY, 8 * DAY);
    log.tick(6 * DAY);
    expect(log.outcomes).toEqual([]);
    log.tick(7 * DAY);
    expect(log.outcomes).toHaveLength(1);
    ends(log, 7 * DAY, 20 * DAY);
    ends(log, 8 * DAY, null);
    log.tick(30 * DAY);
    expect(log.outcomes).toHaveLength(1);
    expect(log.state.matches).toEqual([]);
  });

  it('says nothing again where the same attribute is written again', () => {
    const log = new UserLog(dates());
    ends(log, 0, DAY);
    log.tick(DAY);
    ends(log, DAY, DAY);
    log.event('$profile', DAY, { properties: { plan: 'pro' } });
    log.tick(2 * DAY);
    expect(log.outcomes).toHaveLength(1);
  });

  it('that has passed when it becomes known is left out, and so is what is no date', () => {
    const log = new UserLog(dates());
    for (const value of [-DAY, 0, 'tomorrow', 1.5, 9e15]) ends(log, 1, value);
    expect(log.state.matches).toEqual([]);
  });

  it('so far off that no calendar has it never comes, and is kept as an attribute all the same', () => {
    for (const atMinutes of [null, 540])
      for (const offsetMs of [-8.9e15, 8.9e15]) {
        const log = new UserLog(dates({ offsetMs, atMinutes }));
        ends(log, 0, DAY);
        expect([log.state.matches, log.state.profile]).toEqual([[], { ends: START + DAY }]);
      }
  });

  it('counts also where it was imported: it is a fact', () => {
    const log = new UserLog(dates());
    ends(log, 0, DAY, true);
    log.tick(DAY);
    expect(log.outcomes).toHaveLength(1);
  });

  it('may be at a local time of its day, also on one with a change of clocks', () => {
    const log = new UserLog(dates({ offsetMs: -DAY, atMinutes: 9 * 60 }));
    ends(log, 0, at('2025-10-27T15:00:00+01:00'));
    log.tick(at('2025-10-26T09:00:00+01:00') - 1);
    expect(log.outcomes).toEqual([]);
    log.tick(at('2025-10-26T09:00:00+01:00'));
    expect(log.outcomes).toHaveLength(1);
  });

  it('goes by the clock where the user is when it comes, also where that is known only then', () => {
    const moves: readonly ((log: UserLog, zone: string) => void)[] = [
      (log, zone) => log.event('$profile', 1, { properties: { zone } }),
      (log, zone) => log.event('$device_added', 1, { properties: { deviceId: 'd', kind: 'fcm', value: 't', zone } }),
    ];
    for (const move of moves) {
      const log = new UserLog(dates({ atMinutes: 9 * 60 }));
      ends(log, 0, at('2025-07-01T12:00:00Z'));
      move(log, 'America/New_York');
      log.tick(at('2025-07-01T09:00:00-04:00') - 1);
      expect(log.outcomes).toEqual([]);
      log.tick(at('2025-07-01T09:00:00-04:00'));
      expect(log.outcomes).toHaveLength(1);
    }
    // It has passed in Tokyo already: it comes all the same, once.
    const late = new UserLog(dates({ atMinutes: 9 * 60 }));
    ends(late, 0, at('2025-07-01T12:00:00Z'));
    late.event('$profile', at('2025-07-01T06:00:00Z'), { properties: { zone: 'Asia/Tokyo' } });
    late.tick(3 * 30 * DAY);
    expect(late.outcomes).toHaveLength(1);
  });

  it('may come again every year, each time once', () => {
    const log = new UserLog(dates({ yearly: true }));
    ends(log, 0, at('2024-02-29T10:00:00+01:00'), true);
    for (const day of ['2026-02-28', '2027-02-28', '2028-02-29']) {
      log.tick(at(`${day}T10:00:00+01:00`) - 1);
      const before = log.commands.length;
      log.tick(at(`${day}T10:00:00+01:00`));
      expect(log.commands.length).toBe(before + 1);
    }
  });
});

describe('a day of the calendar', () => {
  it('is that day wherever the user is, at a local time', () => {
    for (const [zone, due] of [
      ['America/New_York', '2025-07-01T14:00:00Z'],
      ['Asia/Tokyo', '2025-07-01T01:00:00Z'],
      ['Pacific/Kiritimati', '2025-06-30T20:00:00Z'],
    ] as const) {
      const log = new UserLog(dates({ yearly: true, atMinutes: 600 }));
      log.event('$profile', 0, { properties: { zone, ends: Date.parse('1990-07-01') } });
      expect([zone, log.state.matches.map(({ dueMs }) => new Date(dueMs).toISOString())]).toEqual([zone, [due.replace('Z', '.000Z')]]);
    }
  });

  it('may be before 1970', () => {
    for (const birthday of ['1950-07-01', '1969-12-31', '1900-02-28']) {
      const log = new UserLog(dates({ yearly: true, atMinutes: 600 }));
      log.event('$profile', 0, { properties: { ends: Date.parse(birthday) } });
      log.tick(366 * DAY);
      expect([birthday, log.outcomes.length]).toEqual([birthday, 1]);
    }
  });
});

describe('journeys on dates of a topology that comes into force', () => {
  const activation = { topic: 'timeline', partition: 0, offset: 99, number: 2 };
  const activated = (log: UserLog, to: Program, atMs: number): void => {
    const names = newDates(log.program, to);
    log.program = to;
    log.state = onTopology(log.state, names, { ...activation, atMs: START + atMs }, to).state;
  };

  const namesOf = (before: Program, after: Program): string[] => newDates(before, after).map(({ journey }) => journey);

  it('are told apart from those that were there before, at that time', () => {
    const before = dates();
    expect(namesOf(before, before)).toEqual([]);
    expect(namesOf(before, dates({}, { priority: 3 }))).toEqual([]);
    expect(namesOf(programOf({ journeys: [] }), before)).toEqual(['d']);
    for (const other of [{ attribute: 'begins' }, { offsetMs: DAY }, { atMinutes: 540 }, { yearly: true }])
      expect(namesOf(before, dates(other))).toEqual(['d']);
    const reached = { kind: 'event', on: { type: 'a', where: null } } as const;
    const other = programOf({ journeys: [journeyOf({ name: 'd', pattern: reached })] });
    expect(namesOf(other, before)).toEqual(['d']);
    expect(namesOf(before, other)).toEqual([]);
    // A local time of another zone is another time.
    expect(namesOf(before, { ...before, timeZone: 'Asia/Tokyo' })).toEqual([]);
    const local = dates({ atMinutes: 540 });
    expect(namesOf(local, { ...local, timeZone: 'Asia/Tokyo' })).toEqual(['d']);
  });

  it('count for a date that is known already, each once; the decision names the topology', () => {
    const log = new UserLog(programOf({ journeys: [] }));
    ends(log, 0, 5 * DAY);
    activated(log, dates(), DAY);
    activated(log, dates(), 2 * DAY);
    expect(log.state.matches.map(({ trigger, dueMs }) => [trigger.eventId, trigger.offset, trigger.occurredAtMs, dueMs])).toEqual([
      ['$topology-2', 99, START + DAY, START + 5 * DAY],
    ]);
    log.tick(6 * DAY);
    expect(log.outcomes).toEqual([`d ${START + 5 * DAY} sent`]);
  });

  it('move what waits, and take it away where it has passed then', () => {
    const log = new UserLog(dates({ offsetMs: -DAY }));
    ends(log, 0, 5 * DAY);
    activated(log, dates({ offsetMs: DAY }), 1);
    expect(log.state.matches.map(({ dueMs }) => dueMs)).toEqual([START + 6 * DAY]);
    activated(log, dates({ offsetMs: -5 * DAY }), HOUR);
    expect(log.state.matches).toEqual([]);
  });

  it('still know of goals that were reached before they moved', () => {
    const goal = { cancelOn: [{ trackerId: 'bought', label: 'bought', goal: true }] };
    const withGoal = (offsetMs: number): Program => ({
      ...dates({ offsetMs }, goal),
      ...{
        trackers: [trackerOf('bought', ['b'], { keepMs: 100 * DAY })],
        eventTypes: new Map([['b', { type: 'b', activity: true }]]),
      },
    });
    const log = new UserLog(withGoal(-3 * DAY));
    ends(log, 0, 13 * DAY);
    log.event('b', 5 * DAY);
    activated(log, withGoal(-2 * DAY), 6 * DAY);
    log.tick(20 * DAY);
    expect(log.outcomes).toEqual([`d ${START + 13 * DAY} goal`]);
  });

  it('tell nobody again whose old time has passed, and leave to the next tick what is due', () => {
    const log = new UserLog(dates({ offsetMs: -30 * DAY }));
    ends(log, 0, 40 * DAY);
    log.tick(10 * DAY);
    expect(log.outcomes).toEqual([`d ${START + 40 * DAY} sent`]);
    activated(log, dates({ offsetMs: -3 * DAY }), 30 * DAY);
    expect(log.state.matches).toEqual([]);

    const late = new UserLog(dates({ offsetMs: -3 * DAY }));
    ends(late, 0, 13 * DAY);
    activated(late, dates({ offsetMs: -3 * DAY - HOUR }), 10 * DAY + 1);
    late.tick(10 * DAY + HOUR);
    expect(late.outcomes).toEqual([`d ${START + 13 * DAY} sent`]);
  });

  it('of a year in which somebody is under way wait for the next', () => {
    const steps = [
      sendOf({ name: 'm', next: 1 }),
      { kind: 'wait', name: 'w', forMs: 7 * DAY, atMinutes: null, until: [], fromTrigger: false, next: 2 } as const,
      sendOf({ name: 'n' }),
    ];
    const yearly = (offsetMs: number): Program => dates({ yearly: true, offsetMs }, { steps });
    const log = new UserLog(yearly(0));
    const date = Date.parse('2020-06-10T08:00:00Z');
    ends(log, 0, date - START);
    const first = new Date(START).getUTCFullYear() + (START < Date.UTC(new Date(START).getUTCFullYear(), 5, 10, 8) ? 0 : 1);
    const dayMs = Date.UTC(first, 5, 10, 8) - START;
    log.tick(dayMs);
    activated(log, yearly(2 * DAY), dayMs + DAY);
    const waiting = log.state.matches.map(({ occurrence, wait }) => [occurrence.split('+')[1], wait?.step ?? null]);
    expect(waiting).toEqual([
      [String(first - 2020), 'w'],
      [String(first - 2020 + 1), null],
    ]);
  });

  it('leave the state of everybody else as it is', () => {
    const log = new UserLog(programOf({ journeys: [] }));
    ends(log, 0, -DAY);
    const { state } = log;
    activated(log, dates(), DAY);
    expect(log.state).toBe(state);
    const without = new UserLog(programOf({ journeys: [] })).state;
    expect(onTopology(without, [{ journey: 'd', before: null }], { ...activation, atMs: START }, dates()).state).toBe(without);
  });
});

describe('a change of an attribute', () => {
  const changes = (parts: Partial<Journey> = {}): Program =>
    programOf({
      journeys: [
        journeyOf({
          name: 'c',
          capture: ['from', 'to'],
          pattern: {
            ...{ kind: 'attribute', attribute: 'plan' },
            changed: (before, after) => before['plan'] === 'free' && after['plan'] === 'pro',
          },
          steps: [{ kind: 'wait', name: 'w', forMs: HOUR, atMinutes: null, fromTrigger: false, until: [], next: 1 }, sendOf()],
          ...parts,
        }),
      ],
    });
  const plan = (log: UserLog, appendedAt: number, value: string | null, imported = false): void => {
    log.event('$profile', appendedAt, { properties: { plan: value }, imported });
  };

  it('is noticed where it is the one that was asked for, with what was before', () => {
    const log = new UserLog(changes());
    plan(log, 0, 'pro');
    plan(log, 1, 'free');
    expect(log.state.matches).toEqual([]);
    plan(log, 2, 'pro');
    expect(log.state.matches[0]?.trigger.properties).toEqual({ from: 'free', to: 'pro' });
    plan(log, 3, 'pro');
    expect(log.state.matches).toHaveLength(1);
  });

  it('of which a segment reads nothing is not looked at, and several at once start journeys in their order', () => {
    const looked: string[] = [];
    const segment = (name: string, reads?: readonly string[]): Journey =>
      journeyOf({
        name,
        pattern: {
          ...{ kind: 'attribute', attribute: null, ...(reads === undefined ? {} : { reads: new Set(reads) }) },
          changed: () => {
            looked.push(name);
            return true;
          },
        },
      });
    const journeys = [segment('a', ['plan', 'seats']), segment('b'), segment('c', ['seats']), segment('d', ['country'])];
    const log = new UserLog(programOf({ journeys }));
    log.event('$profile', 0, { id: 'one', properties: { plan: 'pro' } });
    log.event('$profile', 1, { id: 'same', properties: { plan: 'pro' } });
    log.event('$profile', 2, { id: 'other', properties: { stage: 'new' } });
    log.event('$profile', 3, { id: 'two', properties: { seats: 3, plan: 'free' } });
    expect(looked).toEqual(['a', 'b', 'b', 'a', 'b', 'c']);
    expect(log.outcomes).toEqual(['a one sent', 'b one sent', 'b other sent', 'a two sent', 'b two sent', 'c two sent']);
  });

  it('starts nothing where it was imported', () => {
    const log = new UserLog(changes());
    plan(log, 0, 'free', true);
    plan(log, 1, 'pro', true);
    expect(log.state.matches).toEqual([]);
  });

  it('is told apart from one that another journey makes of the same event', () => {
    const updating = (name: string, plan: string): Journey =>
      journeyOf({
        ...{ name, pattern: { kind: 'event', on: { type: 'a', where: null } } },
        steps: [{ kind: 'update', name: 'up', set: new Map([['plan', () => plan]]), next: null }],
      });
    const noticing = journeyOf({
      name: 'c',
      pattern: { kind: 'attribute', attribute: 'plan', changed: (before, after) => before['plan'] !== after['plan'] },
    });
    const log = new UserLog(programOf({ journeys: [noticing, updating('u', 'pro'), updating('v', 'free')] }));
    log.event('a', 0, { id: 'e' });
    expect(log.outcomes).toEqual(['c u/e/up sent', 'c v/e/up sent']);
  });

  it('is not cancelled by the event that has made it, whenever that happened', () => {
    const set = new Map([['plan', () => 'pro']]);
    const updating = journeyOf({
      ...{ name: 'u', pattern: { kind: 'event', on: { type: 'a', where: null } } },
      steps: [
        {
          kind: 'wait',
          name: 'w',
          forMs: HOUR,
          atMinutes: null,
          fromTrigger: false,
          until: [{ trackerId: 'b', by: 'key', next: 1 }],
          next: null,
        },
        { kind: 'update', name: 'up', set, next: null },
      ],
    });
    const changed = journeyOf({
      name: 'c',
      pattern: { kind: 'attribute', attribute: 'plan', changed: () => true },
      cancelOn: [{ trackerId: 'b', label: 'b', goal: false }],
    });
    const log = new UserLog(programOf({ trackers: [trackerOf('b', ['b'])], journeys: [changed, updating] }));
    log.event('a', 0, { id: 'e' });
    log.event('b', 1);
    expect(log.outcomes).toEqual(['c u/e/up sent']);
  });

  it('is noticed also where a step of a journey has made it', () => {
    const set = new Map([['plan', () => 'pro']]);
    const program = changes();
    const updating = journeyOf({
      ...{ name: 'u', pattern: { kind: 'event', on: { type: 'a', where: null } } },
      steps: [{ kind: 'update', name: 'up', set, next: null }],
    });
    const log = new UserLog({ ...program, journeys: [...program.journeys, updating] });
    plan(log, 0, 'free');
    log.event('a', 1, { id: 'e' });
    expect(log.state.matches.map(({ occurrence }) => occurrence)).toEqual(['u/e/up']);
  });
});
