import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Journey, SendStep } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import type { Consent, Device, LedgerEntry, UserState } from '../../src/core/state.ts';
import { onTimer } from '../../src/core/step.ts';
import { matchTimerId } from '../../src/core/timers.ts';
import { isEmpty } from '../../src/core/step.ts';
import { DAY, HOUR, MARKETING, MINUTE, PLAIN, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

type Parts = Partial<Omit<Journey, 'send' | 'pattern' | 'name'>> & { send?: Partial<SendStep> };

/** A journey that comes to the gate at each `a`. */
function atOnce(parts: Parts = {}, program: Partial<Program> = {}): Program {
  return programOf({
    ...program,
    journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on: { type: 'a', where: null } }, ...parts })],
  });
}

const marketing: Partial<SendStep> = { channels: ['webpush', 'fcm'], class: 'marketing', category: 'offers' };

function device(deviceId: string, kind: string, extra: Record<string, string> = {}) {
  return { properties: { deviceId, kind, value: `token-${deviceId}`, ...extra } };
}

function checksOf(log: UserLog): Record<string, boolean> {
  return Object.fromEntries(log.decisions.at(-1)!.checks.map((check) => [check.name, check.passed]));
}

describe('a journey in the shadow', () => {
  it('decides as if it were live, sends nothing and uses up no cap', () => {
    const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
    const caps = [{ name: 'one', max: 1, windowMs: HOUR, category: null, channel: null }];
    const send = { class: 'marketing', category: 'offers' };
    const shadow = journeyOf({ name: 'shadow', pattern, shadow: true, reentry: { kind: 'once' }, send });
    const live = journeyOf({ name: 'live', pattern, send });
    const log = new UserLog(programOf({ journeys: [shadow, live], caps }));
    log.event('a', 0);
    log.event('a', 1);
    expect(log.commands.map(({ journey }) => journey)).toEqual(['live']);
    expect(log.decisions.map(({ journey, reason }) => `${journey} ${reason}`)).toEqual([
      'shadow shadow',
      'live sent',
      'shadow reentry',
      'live cap',
    ]);
  });
});

describe('the gate', () => {
  it('sends, reserves the ledger and records every check in its order', () => {
    const program = atOnce({ send: { ...marketing, collapseKey: 'cart', data: ({ trigger }) => ({ of: trigger!.eventId }) } });
    const log = new UserLog(program);
    log.event('$device_added', 0, device('d', 'webpush'));
    log.event('a', MINUTE, { id: 'e', at: 0 });
    expect(log.decisions[0]?.checks.map((check) => check.name)).toEqual([
      'goal',
      'suppressor',
      'expiry',
      'audience',
      'consent',
      'permission',
      'device',
      'duplicate',
      'reentry',
      'cap',
    ]);
    const { commandId } = log.decisions[0]!;
    expect(log.decisions[0]).toMatchObject({ outcome: 'sent', reason: 'sent', channel: 'webpush', topology: 'test', topologyHash: 'hash' });
    expect(log.commands).toEqual([
      {
        commandId,
        app: 'lull',
        userId: 'user',
        journey: 'j',
        step: 'send',
        occurrence: 'e',
        class: 'marketing',
        promise: 'at_most_once',
        category: 'offers',
        channel: 'webpush',
        trigger: { topic: 'timeline', partition: 0, offset: 1, eventId: 'e' },
        dueAtMs: START,
        decidedAtMs: START + MINUTE,
        expiresAtMs: START + MINUTE + HOUR,
        ttlMs: HOUR,
        collapseKey: 'cart',
        content: null,
        data: { of: 'e' },
        devices: [{ deviceId: 'd', kind: 'webpush', value: 'token-d' }],
        topologyHash: 'hash',
        traceParent: null,
      },
    ]);
    expect(log.state.ledger).toMatchObject([{ commandId, outcome: 'open', deviceIds: ['d'], triggeredAtMs: START, atMs: START + MINUTE }]);
  });

  it('names the first failing check, and evaluates those behind it', () => {
    const program = atOnce(
      { audience: () => false, reentry: { kind: 'once' }, send: marketing },
      { caps: [{ name: 'none', max: 0, windowMs: DAY, category: null, channel: null }] },
    );
    const log = new UserLog(program);
    log.event('$consent', 0, { properties: { category: 'offers', state: 'out' } });
    log.event('a', MINUTE, { id: 'e' });
    expect(log.outcomes).toEqual(['j e audience']);
    expect(checksOf(log)).toEqual({
      goal: true,
      suppressor: true,
      expiry: true,
      audience: false,
      consent: false,
      permission: true,
      device: false,
      duplicate: true,
      reentry: true,
      cap: false,
    });
    expect(log.commands).toEqual([]);
    expect(log.state.ledger).toEqual([]);
    expect(log.state.entries).toEqual({});
  });

  it('rejects what came too late to be worth it', () => {
    const pattern = { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 't', withinMs: HOUR } as const;
    const program = programOf({ trackers: [trackerOf('t', ['a'])], journeys: [journeyOf({ name: 'j', pattern, expiresAfterMs: HOUR })] });
    const late = new UserLog(program);
    late.event('a', 0, { id: 'e' });
    late.tick(2 * HOUR + 1);
    const inTime = new UserLog(program);
    inTime.event('a', 0, { id: 'e' });
    inTime.tick(2 * HOUR);
    expect([late.outcomes, inTime.outcomes]).toEqual([['j e expired'], ['j e sent']]);
  });

  it('follows consent: the default of the category, the narrower statement, and the later opt-out of everything', () => {
    const program = atOnce({ send: { ...marketing, channels: ['log'] } }, { categories: new Map([['offers', { consent: 'out' }]]) });
    const log = new UserLog(program);
    log.event('a', 0, { id: 'default' });
    log.event('$consent', 1, { properties: { category: 'offers', channel: 'log', state: 'in' } });
    log.event('a', 2, { id: 'narrow' });
    log.event('$consent', 3, { properties: { category: 'offers', state: 'out' } });
    log.event('a', 4, { id: 'broad' });
    log.event('$consent', 5, { properties: { category: 'offers', channel: 'log', state: 'in' } });
    log.event('a', 6, { id: 'again' });
    log.event('$consent', 7, { at: 4, properties: { category: 'offers', channel: 'log', state: 'out' } });
    log.event('a', 8, { id: 'late statement' });
    expect(log.outcomes.map((outcome) => outcome.slice(2))).toEqual([
      'default consent',
      'narrow sent',
      'broad consent',
      'again sent',
      'late statement sent',
    ]);
  });

  it('stops a class that needs consent where its step names no category, and lets a transactional one pass an opt-out', () => {
    const closed = new UserLog(atOnce({ send: { channels: ['log'], class: 'marketing', category: null } }));
    closed.event('a', 0, { id: 'e' });
    const open = new UserLog(atOnce({ send: { channels: ['log'], class: 'plain', category: 'offers' } }));
    open.event('$consent', 0, { properties: { category: 'offers', state: 'out' } });
    open.event('a', 1, { id: 'e' });
    expect([closed.outcomes, open.outcomes]).toEqual([['j e consent'], ['j e sent']]);
  });

  it('takes the first channel in order of preference that has consent and a reachable device, the most recently seen first', () => {
    const log = new UserLog(atOnce({ send: marketing }));
    log.event('$device_added', 0, device('phone', 'fcm'));
    log.event('$device_added', 1, device('tablet', 'fcm'));
    log.event('a', 2, { id: 'only fcm' });
    log.event('$device_added', 3, device('laptop', 'webpush'));
    log.event('$delivered', 4, { properties: { commandId: 'x', deviceId: 'phone' } });
    log.event('a', 5, { id: 'webpush' });
    log.event('$consent', 6, { properties: { category: 'offers', channel: 'webpush', state: 'out' } });
    log.event('a', 7, { id: 'fcm' });
    expect(log.commands.map((command) => [command.occurrence, command.channel, command.devices.map((d) => d.deviceId)])).toEqual([
      ['only fcm', 'fcm', ['tablet', 'phone']],
      ['webpush', 'webpush', ['laptop']],
      ['fcm', 'fcm', ['phone', 'tablet']],
    ]);
  });

  it('tells a permission that was denied from a device that is not there', () => {
    const log = new UserLog(atOnce({ send: marketing }));
    log.event('a', 0, { id: 'none' });
    log.event('$device_added', 1, device('d', 'fcm', { permission: 'denied' }));
    log.event('a', 2, { id: 'denied' });
    log.event('$device_added', 3, device('d', 'fcm', { permission: 'granted' }));
    log.event('a', 4, { id: 'granted' });
    log.event('$device_unreachable', 6, { properties: { deviceId: 'd', sentAt: START + 5, reason: 'gone' } });
    log.event('a', 7, { id: 'gone' });
    expect(log.outcomes).toEqual(['j none no_device', 'j denied permission', 'j granted sent', 'j gone no_device']);
  });

  it('sends one occurrence once, though its event comes again when its id is forgotten', () => {
    const log = new UserLog(atOnce({}, { limits: { ...programOf({}).limits, recentEventIds: 1 } }));
    log.event('a', 0, { id: 'e' });
    log.event('a', 0, { id: 'e' });
    log.event('x', 0);
    log.event('a', 0, { id: 'e' });
    expect(log.duplicates).toBe(1);
    expect(log.outcomes).toEqual(['j e sent', 'j e duplicate']);
  });

  it('enters a journey once in each session, also where what came of it was decided after its end', () => {
    const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
    const late = { kind: 'inactive', since: { type: 'b', where: null }, forMs: 2 * HOUR } as const;
    const log = new UserLog(
      programOf({
        journeys: [
          journeyOf({ name: 'j', pattern, reentry: { kind: 'session' } }),
          journeyOf({ name: 'late', pattern: late, reentry: { kind: 'session' } }),
        ],
      }),
    );
    for (const at of [0, MINUTE, 20 * MINUTE, 2 * HOUR, 2 * HOUR + MINUTE]) log.event('a', at);
    expect(log.decisions.map(({ reason }) => reason)).toEqual(['sent', 'reentry', 'reentry', 'sent', 'reentry']);
    log.event('b', 10 * HOUR);
    log.tick(12 * HOUR);
    log.event('b', 20 * HOUR);
    log.tick(22 * HOUR);
    expect(log.decisions.slice(5).map(({ journey, reason }) => `${journey} ${reason}`)).toEqual(['late sent', 'late sent']);
    log.tick(10 * DAY);
    expect(log.state.entries).toEqual({});
  });

  it('enters a journey once in a session that has ended, whenever what is over is tidied up, until nothing more can come of it', () => {
    const pattern = { kind: 'event', on: { type: 'quiet', where: null } } as const;
    const silent = ['quiet'];
    const journeys = [journeyOf({ name: 'j', pattern, reentry: { kind: 'session' } })];
    const log = new UserLog(programOf({ activity: ['a'], silent, journeys }));
    log.event('a', 0);
    log.event('a', DAY - 40 * MINUTE);
    log.event('quiet', DAY - 40 * MINUTE);
    log.tick(DAY);
    log.event('quiet', DAY + 10 * MINUTE);
    log.event('quiet', 2 * DAY - 40 * MINUTE);
    expect(log.decisions.map(({ reason }) => reason)).toEqual(['sent', 'reentry', 'sent']);
    const nobody = new UserLog(programOf({ activity: ['a'], silent, journeys }));
    nobody.event('quiet', 0);
    nobody.tick(DAY);
    expect([nobody.outcomes, isEmpty(nobody.state)]).toEqual([['j e0 sent'], true]);
  });

  it('enters a journey once, or once per interval, or per key', () => {
    const key: Journey['key'] = (event) => event.properties['k'] as string | null;
    const reasons = (parts: Parts): (string | undefined)[] => {
      const log = new UserLog(atOnce(parts));
      log.event('a', 0, { id: '1', properties: { k: 'x' } });
      log.event('a', HOUR - 1, { id: '2', properties: { k: 'x' } });
      log.event('a', HOUR, { id: '3', properties: { k: 'y' } });
      return ['1', '2', '3'].map((id) => log.reasonOf(id));
    };
    expect(reasons({ reentry: { kind: 'once' } })).toEqual(['sent', 'reentry', 'reentry']);
    expect(reasons({ reentry: { kind: 'every', intervalMs: HOUR } })).toEqual(['sent', 'reentry', 'sent']);
    expect(reasons({ reentry: { kind: 'once' }, key })).toEqual(['sent', 'reentry', 'sent']);
  });

  it('counts caps in a rolling window over all journeys, and gives a place back that no provider took', () => {
    const caps = [{ name: 'two a day', max: 2, windowMs: DAY, category: null, channel: null }];
    const send: Partial<SendStep> = { channels: ['log'], class: 'marketing', category: 'offers' };
    const on = { type: 'a', where: null };
    const journeys = [
      journeyOf({ name: 'one', pattern: { kind: 'event', on }, send }),
      journeyOf({ name: 'two', pattern: { kind: 'event', on }, send }),
      journeyOf({ name: 'plain', pattern: { kind: 'event', on } }),
    ];
    const log = new UserLog(programOf({ journeys, caps }));
    log.event('a', 0, { id: 'first' });
    log.event('a', HOUR, { id: 'second' });
    const cancelled = log.commands[1]!.commandId;
    log.event('$undelivered', HOUR, { properties: { commandId: cancelled, reason: 'unregistered' } });
    log.event('a', 2 * HOUR, { id: 'third' });
    log.event('a', DAY, { id: 'fourth' });
    expect(log.outcomes).toEqual([
      'one first sent',
      'two first sent',
      'plain first sent',
      'one second cap',
      'two second cap',
      'plain second sent',
      'one third sent',
      'two third cap',
      'plain third sent',
      'one fourth sent',
      'two fourth cap',
      'plain fourth sent',
    ]);
    expect(log.decisions[3]?.checks.find((check) => check.name === 'cap')?.detail).toBe(`two a day: 2 of 2 in ${DAY} ms`);
  });

  it('keeps the place of a message that may have arrived: revoked, or with an unknown outcome', () => {
    const caps = [{ name: 'one', max: 1, windowMs: DAY, category: null, channel: null }];
    const log = new UserLog(atOnce({ send: { channels: ['log'], class: 'marketing', category: 'offers' } }, { caps }));
    log.event('a', 0, { id: 'first' });
    log.event('$undelivered', 1, { properties: { commandId: log.commands[0]!.commandId, reason: 'unknown' } });
    log.event('a', 2, { id: 'second' });
    expect(log.outcomes).toEqual(['j first sent', 'j second cap']);
  });

  it('records what cannot be evaluated or rendered, and sends nothing', () => {
    const fail = (): never => {
      throw new EvaluationError('no name');
    };
    const where = new UserLog(
      programOf({ journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on: { type: 'a', where: fail } } })] }),
    );
    const audience = new UserLog(atOnce({ audience: fail }));
    const render = new UserLog(atOnce({ send: { render: fail } }));
    const data = new UserLog(atOnce({ send: { data: fail } }));
    const logs = [where, audience, render, data];
    for (const log of logs) log.event('a', 0, { id: 'e' });
    expect(logs.map((log) => log.outcomes)).toEqual([
      ['j e condition_error'],
      ['j e condition_error'],
      ['j e render_error'],
      ['j e render_error'],
    ]);
    for (const log of logs) {
      expect(log.commands).toEqual([]);
      expect(log.decisions[0]?.checks.find((check) => !check.passed)?.detail).toBe('no name');
    }
  });

  it('lets any other error through, so that the record is refused alone', () => {
    const fail = (): never => {
      throw new TypeError('a defect');
    };
    const log = new UserLog(atOnce({ audience: fail }));
    const before = log.state;
    expect(() => log.event('a', 0)).toThrow('a defect');
    expect(log.state).toBe(before);
  });

  it('renders for the chosen channel, in the locale of the device that comes first, else of the profile', () => {
    const render: SendStep['render'] = (_scope, locale, channel) => ({ title: `${locale} ${channel}`, body: '', url: null, image: null });
    const log = new UserLog(atOnce({ send: { ...marketing, render } }));
    log.event('$profile', 0, { properties: { locale: 'fr' } });
    log.event('$device_added', 0, device('d', 'fcm'));
    log.event('a', 1);
    log.event('$device_added', 2, device('d', 'fcm', { locale: 'de' }));
    log.event('a', 3);
    expect(log.commands.map((command) => command.content?.title)).toEqual(['fr fcm', 'de fcm']);
  });

  it('never sends what was rejected, because a suppressor, an opt-out or a cap came in addition', () => {
    fc.assert(
      fc.property(candidates(), ({ state, program, journey }) => {
        const match = state.matches[0]!;
        const timer = { dueMs: match.dueMs, id: matchTimerId(match) };
        const nowMs = START + DAY;
        const outcome = (s: UserState, p: Program): string => onTimer(s, timer, nowMs, p).effects.decisions[0]!.outcome;
        const before = outcome(state, program);
        const stricter: [UserState, Program][] = [
          [
            { ...state, trackers: { ...state.trackers, extra: { [match.key]: [nowMs, 999] } } },
            {
              ...program,
              trackers: [...program.trackers, trackerOf('extra', ['b'], { key: journey.key })],
              journeys: [{ ...journey, cancelOn: [...journey.cancelOn, { trackerId: 'extra', label: 'extra', goal: false }] }],
            },
          ],
          [{ ...state, consent: { ...state.consent, offers: { state: 'out', atMs: nowMs, reason: null } } }, program],
          [state, { ...program, caps: [...program.caps, { name: 'more', max: 1, windowMs: DAY, category: null, channel: null }] }],
          [{ ...state, devices: state.devices.slice(1) }, program],
        ];
        for (const [s, p] of stricter) if (before === 'rejected') expect(outcome(s, p)).toBe('rejected');
        expect(outcome(...stricter[0]!)).toBe('rejected');
      }),
      { numRuns: 1_000 },
    );
  });
});

interface Candidate {
  readonly state: UserState;
  readonly program: Program;
  readonly journey: Journey;
}

function candidates(): fc.Arbitrary<Candidate> {
  const ledger = fc.record({
    agoMs: fc.integer({ min: 0, max: 2 * DAY }),
    outcome: fc.constantFrom('open', 'accepted', 'released', 'revoked'),
  });
  return fc
    .record({
      key: fc.constantFrom('', 'k'),
      triggeredAgoMs: fc.integer({ min: HOUR, max: DAY }),
      moments: fc.array(fc.integer({ min: 0, max: DAY }), { maxLength: 2 }),
      consent: fc.constantFrom<Consent['state'] | null>('in', 'out', null),
      audience: fc.constantFrom(true, true, true, false),
      expires: fc.constantFrom(null, null, HOUR, DAY),
      reentry: fc.constantFrom<Journey['reentry']>({ kind: 'always' }, { kind: 'once' }, { kind: 'every', intervalMs: HOUR }),
      entered: fc.option(fc.integer({ min: 0, max: DAY })),
      needsConsent: fc.boolean(),
      capped: fc.boolean(),
      max: fc.integer({ min: 0, max: 3 }),
      ledger: fc.array(ledger, { maxLength: 4 }),
      devices: fc.array(
        fc.record({ kind: fc.constantFrom('fcm', 'webpush'), permission: fc.constantFrom('granted', 'denied', 'unknown') }),
        {
          maxLength: 3,
        },
      ),
    })
    .map((c): Candidate => {
      const nowMs = START + DAY;
      const journey = journeyOf({
        name: 'j',
        key: c.key === '' ? null : () => c.key,
        pattern: { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 't', withinMs: HOUR },
        cancelOn: [{ trackerId: 'c', label: 'bought', goal: true }],
        audience: () => c.audience,
        expiresAfterMs: c.expires,
        reentry: c.reentry,
        send: { ...marketing },
      });
      const program = programOf({
        journeys: [journey],
        trackers: [trackerOf('t', ['a'], { key: journey.key }), trackerOf('c', ['b'], { key: journey.key })],
        caps: [{ name: 'cap', max: c.max, windowMs: DAY, category: 'offers', channel: null }],
        classes: new Map([['marketing', { ...(c.needsConsent ? MARKETING : PLAIN), capped: c.capped }]]),
      });
      const log = new UserLog(program);
      log.event('a', 0, { id: 'trigger', properties: {} });
      const [armed] = log.state.matches;
      const triggeredAtMs = nowMs - c.triggeredAgoMs;
      const state: UserState = {
        ...log.state,
        matches: [{ ...armed!, dueMs: triggeredAtMs + HOUR, trigger: { ...armed!.trigger, occurredAtMs: triggeredAtMs } }],
        trackers: {
          c: { [c.key]: c.moments.toSorted((a, b) => b - a).flatMap((ago, i) => [nowMs - ago, 10 + i]) },
        },
        consent: c.consent === null ? {} : { offers: { state: c.consent, atMs: 0, reason: null } },
        entries: c.entered === null ? {} : { [c.key === '' ? 'j' : `j/${c.key}`]: nowMs - c.entered },
        ledger: c.ledger.map(({ agoMs, outcome }, i): LedgerEntry => ({
          commandId: `00000000-0000-5000-8000-00000000000${i}`,
          journey: 'other',
          step: 'send',
          key: '',
          occurrence: `o${i}`,
          class: 'marketing',
          category: 'offers',
          channel: 'fcm',
          atMs: nowMs - agoMs,
          expiresAtMs: nowMs + 1,
          triggeredAtMs: nowMs - agoMs,
          deviceIds: [],
          outcome,
        })),
        devices: c.devices.map(({ kind, permission }, i): Device => ({
          deviceId: `d${i}`,
          kind,
          value: `token${i}`,
          permission,
          zone: null,
          locale: null,
          appVersion: null,
          registeredAtMs: 0,
          lastSeenAtMs: i,
          unreachableAtMs: null,
        })),
      };
      return { state, program, journey };
    });
}
