import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PATTERN_KINDS, conditionWords, expressionWords, liquidWords, triggerWords, waitWords } from '../../src/graph/words.ts';
import type { PatternKind } from '../../src/graph/words.ts';
import type { OnForm, WaitForm } from '../../src/topology/files.ts';
import { journey } from './example.ts';

const PATTERNS: readonly (readonly [on: OnForm, words: string])[] = [
  [{ event: 'app_opened' }, 'app_opened'],
  [
    { event: 'watched', where: 'event.percent >= 80 && event.kind != "event.trailer"' },
    'watched, where percent ≥ 80 and kind ≠ "event.trailer"',
  ],
  [{ absence: { after: 'cart', without: ['paid', 'left'], within: '1h' } }, 'cart, then no paid or left within 1h'],
  [{ absence: { after: 'cart', without: '*', within: '1h' } }, 'cart, then nothing at all within 1h'],
  [{ count: { of: 'search', times: 3, within: '7d' } }, '3 × search within 7d'],
  [
    { count: { of: { event: 'search', where: 'event.results == 0' }, times: 2, within: 'session', without: 'bought' } },
    '2 × search (results = 0) in one session, no bought in between',
  ],
  [{ sequence: { of: ['a', 'b', { without: 'c' }, 'd'], within: '2h' } }, 'a, then b, then d with no c in between, within 2h'],
  [{ sequence: { of: ['a', 'b', { without: ['c', 'd'] }], within: '2h' } }, 'a, then b, then no c or d, within 2h'],
  [{ inactive: { for: '10m' } }, 'nothing at all for 10m'],
  [{ inactive: { after: 'checkout', for: '10m' } }, 'checkout, then nothing at all for 10m'],
  [{ dormant: { for: '7d' } }, 'nothing at all for 7d'],
  [
    {
      item: {
        change: 'price_changed',
        where: 'event.price < event.was',
        interest: { of: 'viewed', times: 2, within: '30d', without: 'bought' },
      },
    },
    'price_changed, where price < was, after 2 × viewed within 30d, and no bought since',
  ],
  [
    { item: { change: 'published', interest: { of: ['followed', 'liked'], within: '90d' } } },
    'published, after followed or liked within 90d',
  ],
  [{ milestone: { of: 'workout', at: [1, 12, 23, 100] } }, 'workout for the 1st, 12th, 23rd or 100th time'],
  [{ milestone: { of: 'workout', every: 10 } }, 'every 10th workout'],
  [{ streak: { of: 'workout', days: [7, 30] } }, 'workout on 7 or 30 days in a row'],
  [
    { streak: { of: 'workout', at_least: 3, breaks_at: '19:00' } },
    'workout on at least 3 days in a row, and by 19:00 of the next day not yet',
  ],
  [{ attribute: { of: 'plan' } }, 'plan changes'],
  [{ attribute: { of: 'plan', from: 'free', to: 'pro' } }, 'plan changes from free to pro'],
  [{ attribute: { of: 'plan', to: 'pro' } }, 'plan becomes pro'],
  [{ attribute: { of: 'plan', to: null } }, 'plan is removed'],
  [{ segment: { entered: 'big' } }, 'somebody enters the segment big'],
  [{ segment: { left: 'big' } }, 'somebody leaves the segment big'],
  [{ date: { of: 'trialEndsAt', before: '3d', at: '09:00' } }, '3d before trialEndsAt, at 09:00'],
  [{ date: { of: 'trialEndsAt', after: '1d' } }, '1d after trialEndsAt'],
  [{ date: { of: 'trialEndsAt' } }, 'on trialEndsAt'],
  [{ anniversary: { of: 'memberSince', at: '10:00' } }, 'every year on memberSince, at 10:00'],
  [{ session_started: null }, 'a session starts'],
  [{ session_ended: null }, 'a session has ended'],
  [{ session_ended: { where: 'session.counts.viewed >= 2', delay: '30m' } }, '30m after the end of a session, where count of viewed ≥ 2'],
];

describe('the words for what starts a journey', () => {
  it.each(PATTERNS)('%j', (on, words) => {
    expect(triggerWords(journey(on))).toBe(words);
  });

  it('are there, and tested, for every pattern of the language', () => {
    const schema = JSON.parse(readFileSync(new URL('../../schemas/topology/journey.schema.json', import.meta.url), 'utf8')) as {
      properties: { on: { properties: object } };
    };
    const known = Object.keys(schema.properties.on.properties).filter((name) => name !== 'where');
    expect([...PATTERN_KINDS].sort()).toEqual(known.sort());
    const tested = new Set(PATTERNS.flatMap(([on]) => Object.keys(on) as PatternKind[]));
    expect(PATTERN_KINDS.filter((kind) => !tested.has(kind))).toEqual([]);
  });

  it('take the shortest form, and say what tells occurrences apart', () => {
    expect(triggerWords(journey('signed_up', { key: 'teamId' }))).toBe('signed_up, per teamId');
  });
});

describe('the words for a wait', () => {
  it.each<readonly [WaitForm, string]>([
    [{ wait: 'w', for: '2d' }, '2d'],
    [{ wait: 'w', at: '08:00' }, 'until 08:00'],
    [{ wait: 'w', for: '2d', at: '08:00' }, '2d, then until 08:00'],
    [{ wait: 'w', for: '2d', until: 'paid' }, 'up to 2d for paid'],
    [{ wait: 'w', at: '08:00', until: 'paid' }, 'until 08:00 for paid'],
    [
      { wait: 'w', for: '4h', until: [{ opened: 'm' }, { clicked: 'm' }, { event: 'paid', per: 'user' }] },
      'up to 4h for m to be opened, m to be clicked or paid (whatever the key)',
    ],
    [{ wait: 'w', for: '4h', until: [{ delivered: 'm' }, { dismissed: 'm' }] }, 'up to 4h for m to be delivered or m to be dismissed'],
  ])('%j', (wait, words) => {
    expect(waitWords(wait)).toBe(words);
  });
});

describe('the words for conditions and messages', () => {
  it.each([
    ['!has(user.plan) || user.plan == "trial"', 'no user.plan or user.plan = "trial"'],
    ['coalesce(user.plan, "") == "team"', 'user.plan = "team"'],
    ['coalesce(user.plan, "free") == "team"', 'coalesce(user.plan, "free") = "team"'],
    [`event.text == 'a && b'&&has(user.x)`, `event.text = 'a && b' and user.x is known`],
    ['a <= 1', 'a ≤ 1'],
    ['', 'never'],
    [null, 'never'],
    [true, 'always'],
  ])('%s', (condition, words) => {
    expect(conditionWords(condition)).toBe(words);
  });

  it('an expression that is false is not a condition that never holds', () => {
    expect(expressionWords(false)).toBe('false');
  });

  it.each([
    ['Your {{ trigger.name }} is here', 'Your [name] is here'],
    ['Hi {{ user.firstName | default: "there" }}!', 'Hi [firstName]!'],
    ['Hi{% if user.firstName %} {{ user.firstName }}{% else %} you{% endif %}!', 'Hi [firstName]!'],
  ])('%s', (liquid, words) => {
    expect(liquidWords(liquid)).toBe(words);
  });
});
