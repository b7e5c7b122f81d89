import { describe, expect, it } from 'vitest';
import type { Event, Properties } from '../../src/core/event.ts';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Scope } from '../../src/core/condition.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { SessionWindow, Trigger, UserState } from '../../src/core/state.ts';
import { emptyState } from '../../src/core/step.ts';
import { compileSmall, journeyWith, sendOf } from './small.ts';

const POSITION = { topic: 'timeline', partition: 0, offset: 7 };
const WATCHED: Properties = { percent: 80, minutes: 41.5, show: 'Lull', live: false };

function event(properties: Properties): Event {
  const at = 1_748_854_800_000;
  const times = { occurredAtMs: at, appendedAtMs: at, sentAtMs: null };
  return { ...POSITION, ...times, eventId: 'e-1', userId: 'u', type: 'watched', properties, imported: false, traceParent: null };
}

function scope(properties: Properties = WATCHED, state: Partial<UserState> = {}): Scope {
  const on = event(properties);
  const { eventId, type, occurredAtMs, appendedAtMs } = on;
  const trigger: Trigger = { ...POSITION, eventId, type, occurredAtMs, appendedAtMs, properties, session: null, traceParent: null };
  return { event: on, trigger, state: { ...emptyState('u'), ...state }, nowMs: on.appendedAtMs };
}

const SESSION: SessionWindow = {
  ...{ id: 's', opened: POSITION, startMs: 1000, lastMs: 91_000, lastAppendedAtMs: 91_000, closeTimerMs: 0 },
  ...{ count: 3, counts: { watched: 2, paused: 1 }, sums: { minutes: 50.5 } },
};

const TOPOLOGY = `
session: { sums: { minutes: { on: watched, add: event.minutes }, shows: { on: watched, add: 1 } } }
params: { enough: 80, wait: 90s, name: Lull, strict: true }
profile: { plan: string, age: long, nickname: string?, vip: boolean? }
channels: { log: { device: false } }
classes: { plain: { consent: not_needed, capped: false, promise: at_most_once } }
`;

function where(condition: string): (scope: Scope) => boolean {
  const journey = `on: { event: watched, where: ${JSON.stringify(condition)} }`;
  const { program } = compileSmall({ 'topology.yaml': TOPOLOGY, 'journeys/main.yaml': journeyWith().replace('on: watched', journey) });
  const { pattern } = program.journeys[0] as Journey;
  if (pattern.kind !== 'event' || pattern.on.where === null) throw new Error('an event with a condition is expected');
  return pattern.on.where;
}

describe('a condition', () => {
  it.each([
    ['event.percent >= 80', true],
    ['event.percent == 80.0', true],
    ['event.percent > 79.5 && event.minutes < 42', true],
    ['event.minutes * 2 == 83', true],
    ['event.minutes * event.percent == 3320', true],
    ['event.percent / 3 == 26', true],
    ['event.percent / 3.0 > 26.6', true],
    ['event.percent % 7 == 3', true],
    ['-event.percent < 0', true],
    ['round(event.minutes) == 42', true],
    ['round(-41.5) == -42', true],
    ['floor(event.minutes) == 41 && ceil(event.minutes) == 42', true],
    ['min(event.percent, 3) == 3 && max(1.5, event.minutes) == 41.5 && abs(-2) == 2', true],
    ['event.show == "Lull"', true],
    ['event.show in ["A", "Lull"]', true],
    ['event.percent in [79, 80]', true],
    ['event.show.startsWith("L") && event.show.size() == 4', true],
    ['event.show.replace("L", "l") == "lull"', true],
    ['event.live', false],
    ['!event.live ? event.percent > 0 : false', true],
    ['has(event.rating)', false],
    ['coalesce(event.rating, 3) == 3', true],
    ['coalesce(event.rating, 0) > 2 || event.percent == 80', true],
    ['has(event.rating) && event.rating > 2', false],
    ['event.percent >= params.enough && params.strict', true],
    ['event.show == params.name', true],
    ['params.wait > duration("1m") && params.wait < duration("2m")', true],
  ])('%s is %s', (condition, expected) => {
    expect(where(condition)(scope())).toBe(expected);
  });

  it.each([
    ['user.plan == "pro"', true],
    ['user.age == 18 && user.age >= 18.0', true],
    ['coalesce(user.nickname, "") == ""', true],
    ['coalesce(user.vip, false)', false],
    ['session.count == 3 && session.counts.watched == 2', true],
    ['session.counts.billed == 0', true],
    ['session.sums.minutes > 50 && session.sums.shows == 0', true],
    ['session.duration == duration("90s") && millis(session.duration) == 90000', true],
    ['millis(session.start) == 1000 && session.last > session.start', true],
  ])('reads the user and the session as they are: %s is %s', (condition, expected) => {
    expect(where(condition)(scope(WATCHED, { profile: { plan: 'pro', age: 18 }, session: SESSION }))).toBe(expected);
  });

  it('reads a session that is not there as one in which nothing happened', () => {
    expect(where('session.count == 0 && session.counts.watched == 0 && session.sums.minutes == 0')(scope())).toBe(true);
    expect(() => where('session.start > timestamp("2020-01-01T00:00:00Z")')(scope())).toThrow(EvaluationError);
  });

  it('fails, with its place and without the value, where a value is missing or of another type', () => {
    const condition = where('event.percent >= 80');
    expect(() => condition(scope({ ...WATCHED, percent: null }))).toThrow(
      new EvaluationError('journeys/main.yaml:3:30: a value is missing (event.percent)'),
    );
    expect(() => condition(scope({}))).toThrow(EvaluationError);
    expect(() => condition(scope({ ...WATCHED, percent: 'secret' }))).toThrow(
      new EvaluationError('journeys/main.yaml:3:30: a value has another type than expected (event.percent)'),
    );
    expect(() => condition(scope({ ...WATCHED, percent: 79.5 }))).toThrow(EvaluationError);
    expect(condition(scope())).toBe(true);
  });

  it('fails no sooner than it must: what decides it is enough', () => {
    expect(where('event.live || event.percent >= 80')(scope({ percent: 80 }))).toBe(true);
    expect(where('event.percent < 80 && event.live')(scope({ percent: 80 }))).toBe(false);
  });

  it('takes whole numbers of a double, as Avro may write them', () => {
    expect(where('event.minutes == 41')(scope({ ...WATCHED, minutes: 41 }))).toBe(true);
  });

  it('does not see what an object inherits', () => {
    expect(
      where('coalesce(user.plan, "none") == "none"')(scope(WATCHED, { profile: Object.create({ plan: 'pro' }) as UserState['profile'] })),
    ).toBe(true);
  });
});

describe('an audience', () => {
  function audience(condition: string, topology = TOPOLOGY): Journey {
    return compileSmall({ 'topology.yaml': topology, 'journeys/main.yaml': journeyWith(`audience: ${condition}`) }).program.journeys[0]!;
  }

  it('reads the trigger, and the journey captures exactly what is read of it', () => {
    const journey = audience('trigger.percent > 50 && trigger.live == false');
    expect(journey.capture).toEqual(['live', 'percent', 'show']);
    expect(journey.captureSession).toBe(false);
    expect(journey.audience!(scope())).toBe(true);
    const known = audience('trigger.eventId == "e-1" && trigger.eventType == "watched" && millis(trigger.occurredAt) == 1748854800000');
    expect(known.capture).toEqual(['show']);
    expect(known.audience!(scope())).toBe(true);
  });

  it('captures the session only where it reads the one of the trigger', () => {
    expect(audience('session.count > 0').captureSession).toBe(false);
    const journey = audience('trigger.session.counts.watched >= 2');
    expect(journey.captureSession).toBe(true);
    const read = scope();
    expect(journey.audience!({ ...read, trigger: { ...read.trigger!, session: SESSION } })).toBe(true);
    expect(journey.audience!(read)).toBe(false);
  });

  it('keeps the session of the trigger and the one of now apart, also where it holds on to one', () => {
    const condition = 'cel.bind(now, session.counts, trigger.session.counts.watched == 2 && now.watched == 5)';
    const { audience: holds } = audience(JSON.stringify(condition));
    const read = scope(WATCHED, { session: { ...SESSION, counts: { watched: 5 } } });
    expect(holds!({ ...read, trigger: { ...read.trigger!, session: SESSION } })).toBe(true);
  });

  it('fails as an evaluation where a time zone does not exist', () => {
    const { audience: holds } = audience(JSON.stringify('trigger.occurredAt.getHours("Nowhere/Land") > 3'));
    expect(() => holds!(scope())).toThrow(EvaluationError);
  });

  it('is not checked against attributes where the topology declares none', () => {
    const journey = audience('user.plan == "pro" && user.age >= 18', TOPOLOGY.replace(/profile:.*/, ''));
    expect(journey.audience!(scope(WATCHED, { profile: { plan: 'pro', age: 18 } }))).toBe(true);
    expect(() => journey.audience!(scope())).toThrow(EvaluationError);
  });

  it('that is empty matches nobody', () => {
    expect(audience('').audience!(scope())).toBe(false);
  });
});

describe('data', () => {
  it('are texts: numbers as written, times in ISO 8601, durations in milliseconds', () => {
    const data =
      '{ a: trigger.percent, b: trigger.minutes, c: trigger.live, d: trigger.occurredAt, e: params.wait, f: trigger.show + "!" }';
    const { program } = compileSmall({
      'topology.yaml': TOPOLOGY,
      'journeys/main.yaml': journeyWith().replace('{ show: trigger.show }', data),
    });
    expect(sendOf(program.journeys[0]!).data(scope())).toEqual({
      a: '80',
      b: '41.5',
      c: 'false',
      d: '2025-06-02T09:00:00.000Z',
      e: '90000',
      f: 'Lull!',
    });
  });

  it('that cannot be computed are an error of evaluation', () => {
    const { program } = compileSmall();
    expect(() => sendOf(program.journeys[0]!).data(scope({}))).toThrow(EvaluationError);
  });
});
