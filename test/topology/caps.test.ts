import { describe, expect, it } from 'vitest';
import { compileTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { inFolder, SMALL, type Files } from './small.ts';

/** Two channels, two categories, and a class of each kind. */
const SETTINGS = `channels: { log: { device: false }, web: {} }
categories: { tips: { default: in }, news: { default: in } }
classes:
  marketing: { consent: required, capped: true, promise: at_most_once }
  plain: { consent: not_needed, capped: true, promise: at_most_once }
  free: { consent: not_needed, capped: false, promise: at_most_once }
time_zone: Europe/Berlin
`;

function send(name: string, more = 'channels: [log], class: marketing, category: tips'): string {
  return `{ send: ${name}, ${more}, ttl: 1h, data: { show: trigger.show } }`;
}

/** In lines of their own, so that places can be read. */
function journey(steps: readonly string[], ...more: readonly string[]): string {
  return ['name: main', 'on: watched', ...more, 'steps:', ...steps.map((step) => `  - ${step}`), ''].join('\n');
}

/** What is said of caps: other warnings are not what these tests are about. */
function said(caps: string, steps: readonly string[] | Files, ...more: readonly string[]): string[] {
  const files = Array.isArray(steps) ? { 'journeys/main.yaml': journey(steps as readonly string[], ...more) } : (steps as Files);
  return inFolder({ ...SMALL, 'topology.yaml': SETTINGS + caps, ...files }, (folder) => {
    const compiled = compileTopology(folder, { app: 'test' });
    const issues = compiled.ok ? compiled.warnings : [...compiled.errors, ...compiled.warnings];
    const texts = issues.map((issue) => formatIssue(issue).replaceAll(`${folder}/`, ''));
    return texts.filter((text) => !/no journey uses the channel/.test(text));
  });
}

const ONE = [send('a')];
const WEB = 'channels: [web], class: marketing, category: tips';
const BOTH = 'channels: [web, log], class: marketing, category: tips';
const NEWS = 'channels: [log], class: marketing, category: news';
const PLAIN = 'channels: [log], class: plain, category: tips';
const FREE = 'channels: [log], class: free';
const DAILY = 'caps: { daily: { max: 1, per: 1d } }\n';
const FULL = (name: string, before: string, line = 6, max = 1): string =>
  `journeys/main.yaml:${line}:7: warning: \`${name}\` is never sent behind ${before}: the cap \`daily\` lets ${max} through in 1d\n    wait longer before it, let the cap take more, or leave it away`;

describe('caps and the ledger', () => {
  it('a cap that counts further than is remembered would never hold', () => {
    expect(said('caps: { daily: { max: 200, per: 1d } }\n', ONE)).toEqual([
      'topology.yaml:8:23: error: `daily` lets 200 through, and 128 messages of a user are remembered: it would never hold\n    a lower `max`, or `ledger: 200` under `limits`',
    ]);
    expect(said('caps: { daily: { max: 200, per: 1d } }\nlimits: { ledger: 200 }\n', ONE)).toEqual([]);
    expect(said('caps: { daily: { max: 128, per: 1d } }\n', ONE)).toEqual([]);
  });

  it('is told also where a journey is broken', () => {
    expect(said('caps: { daily: { max: 9, per: 1d } }\nlimits: { ledger: 8 }\n', [send('a', 'channels: [lag], class: free')])).toEqual([
      'journeys/main.yaml:4:27: error: there is no channel `lag` in topology.yaml\n    did you mean `log`?',
      'topology.yaml:8:23: error: `daily` lets 9 through, and 8 messages of a user are remembered: it would never hold\n    a lower `max`, or `ledger: 9` under `limits`',
    ]);
  });

  it('caps of different categories that together count further than is remembered', () => {
    const two = (more = ''): string => `caps: { a: { max: 5, per: 1d, category: tips }, b: { max: 6, per: 1h, category: news }${more} }\n`;
    const steps = [send('a'), send('b', NEWS)];
    expect(said(`${two()}limits: { ledger: 10 }\n`, steps)).toEqual([
      "topology.yaml:9:19: warning: the caps together let 11 through, and 10 messages of a user are remembered: some could be forgotten before their cap's window is over\n    lower them, or set `ledger: 11` under `limits`",
    ]);
    expect(said(`${two()}limits: { ledger: 11 }\n`, steps)).toEqual([]);
    // One that is about all of them lets fewer through.
    expect(said(`${two(', all: { max: 10, per: 1d }')}limits: { ledger: 10 }\n`, steps)).toEqual([]);
    expect(said(`${two(', less: { max: 4, per: 30d, category: tips }')}limits: { ledger: 10 }\n`, steps)).toEqual([
      'topology.yaml:8:9: warning: the cap `a` never stops anything: `less` has stopped it before (4 of tips in 30d)\n    leave it away, or let more through by the other',
    ]);
  });
});

describe('caps that do nothing', () => {
  it('no message counts towards it', () => {
    const none = (cap: string, whose: string): string =>
      `topology.yaml:8:9: warning: no message counts towards the cap \`${cap}\`\n    no journey that takes part sends a message${whose} whose class is \`capped\``;
    expect(said('caps: { daily: { max: 2, per: 1d, category: news } }\n', ONE)).toEqual([none('daily', ' of category `news`')]);
    expect(said('caps: { daily: { max: 2, per: 1d, channel: web } }\n', ONE)).toEqual([none('daily', ' by `web`')]);
    expect(said('caps: { daily: { max: 2, per: 1d } }\n', [send('a', FREE)])).toEqual([none('daily', '')]);
    expect(said('caps: { daily: { max: 2, per: 1d } }\n', ONE, 'mode: draft')).toEqual([none('daily', '')]);
    expect(said('caps: { daily: { max: 2, per: 1d } }\n', ONE, 'mode: shadow')).toEqual([]);
    expect(said('caps: { daily: { max: 2, per: 1d, channel: web, category: tips } }\n', [send('a', BOTH)])).toEqual([]);
  });

  it('another cap has always stopped it before', () => {
    const moot = (column: number, cap: string, by: string, form: string): string =>
      `topology.yaml:8:${column}: warning: the cap \`${cap}\` never stops anything: \`${by}\` has stopped it before (${form})\n    leave it away, or let more through by the other`;
    expect(said('caps: { all: { max: 3, per: 7d }, tips: { max: 3, per: 1d, category: tips } }\n', ONE)).toEqual([
      moot(35, 'tips', 'all', '3 in 7d'),
    ]);
    expect(said('caps: { one: { max: 3, per: 1d, channel: log }, two: { max: 3, per: 1d, channel: log } }\n', ONE)).toEqual([
      moot(49, 'two', 'one', '3 by log in 1d'),
    ]);
    // More in a longer time, fewer of some, or those of another channel.
    expect(said('caps: { all: { max: 3, per: 7d }, tips: { max: 2, per: 1d, category: tips } }\n', ONE)).toEqual([]);
    expect(said('caps: { tips: { max: 3, per: 7d, category: tips }, all: { max: 3, per: 1d } }\n', ONE)).toEqual([]);
    expect(said('caps: { web: { max: 1, per: 7d, channel: web }, log: { max: 2, per: 1d, channel: log } }\n', [send('a', BOTH)])).toEqual(
      [],
    );
  });

  it('one of 0 lets nothing through, and that is all that is said of it', () => {
    expect(said('caps: { daily: { max: 0, per: 1d }, none: { max: 0, per: 1d } }\n', [send('a'), send('b')])).toEqual([
      'topology.yaml:8:23: warning: a cap of 0 lets nothing through',
      'topology.yaml:8:50: warning: a cap of 0 lets nothing through',
    ]);
  });
});

describe('messages that a cap always keeps back', () => {
  it('come behind as many as it lets through, within its window', () => {
    expect(said(DAILY, [send('a'), '{ wait: w, for: 4h }', send('b')])).toEqual([FULL('b', '`a`')]);
    const two = 'caps: { daily: { max: 2, per: 1d } }\n';
    expect(said(two, [send('a'), '{ wait: w, for: 4h }', send('b')])).toEqual([]);
    expect(said(two, [send('a'), '{ wait: w, for: 4h }', send('b'), '{ wait: v, for: 4h }', send('c')])).toEqual([
      FULL('c', '`a`, `b`', 8, 2),
    ]);
  });

  it('a whole window ago is outside', () => {
    expect(said(DAILY, [send('a'), '{ wait: w, for: 24h }', send('b')])).toEqual([]);
    expect(said(DAILY, [send('a'), '{ wait: w, for: 23h59m }', send('b')])).toHaveLength(1);
    expect(said(DAILY, [send('a'), '{ wait: w, for: 12h }', '{ wait: v, for: 12h }', send('b')])).toEqual([]);
    // A local time may be a day off.
    expect(said(DAILY, [send('a'), '{ wait: w, at: "09:00" }', send('b')])).toEqual([]);
    expect(said('caps: { daily: { max: 1, per: 2d } }\n', [send('a'), '{ wait: w, at: "09:00" }', send('b')])).toHaveLength(1);
  });

  it('what becomes of a message while somebody is in the app is reckoned with: nothing is said where one could still go out', () => {
    const active = (form: string): string => `channels: [log], class: marketing, category: tips, while_active: ${form}`;
    expect(said(DAILY, [send('a'), '{ wait: w, for: 4h }', send('b', active('{ hold: 19h }'))])).toHaveLength(1);
    expect(said(DAILY, [send('a'), '{ wait: w, for: 4h }', send('b', active('{ hold: 20h }'))])).toEqual([]);
    for (const form of ['drop', '{ hold: 1h }', '{ channels: [web] }'])
      expect(said(DAILY, [send('a', active(form)), '{ wait: w, for: 4h }', send('b')]), form).toEqual([]);
    const byLog = 'caps: { daily: { max: 1, per: 1d, channel: log } }\n';
    expect(said(byLog, [send('a'), '{ wait: w, for: 4h }', send('b', active('{ channels: [web] }'))])).toEqual([]);
    const byWeb = 'caps: { daily: { max: 1, per: 1d, channel: web } }\n';
    expect(said(byWeb, [send('a', active('{ channels: [web] }'))])).toEqual([]);
    expect(said(DAILY, [send('a'), '{ wait: w, for: 4h }', send('b')], 'priority: 5')).toEqual([]);
  });

  it('a wait that may end early may also end late', () => {
    const until = 'until: { opened: a }';
    expect(said(DAILY, [send('a'), `{ wait: w, for: 2d, ${until} }`, send('b')])).toEqual([]);
    expect(said(DAILY, [send('a'), `{ wait: w, for: 2d, ${until}, then: [${send('b')}] }`])).toEqual([]);
    expect(said(DAILY, [send('a'), `{ wait: w, for: 2h, ${until}, then: [${send('b')}] }`])).toEqual([
      'journeys/main.yaml:5:56: warning: `b` is never sent behind `a`: the cap `daily` lets 1 through in 1d\n    wait longer before it, let the cap take more, or leave it away',
    ]);
  });

  it('every way to it must have used the cap up', () => {
    const branch = (inside: string): string => `{ branch: by, cases: [{ when: trigger.live, steps: [${inside}] }] }`;
    const split = (...arms: readonly string[]): string =>
      `{ split: by, arms: [${arms.map((arm, i) => `{ name: s${i}, share: ${100 / arms.length}, steps: [${arm}] }`).join(', ')}] }`;
    expect(said(DAILY, [branch(send('a')), send('b')])).toEqual([]);
    expect(said(DAILY, [split(send('a'), send('c')), send('b')])).toEqual([FULL('b', '`a`', 5)]);
    expect(said(DAILY, [split(send('a'), `${send('c')}, { wait: w, for: 1d }`), send('b')])).toEqual([]);
    expect(said(DAILY, [split(send('a'), '{ exit: gone }'), send('b')])).toEqual([FULL('b', '`a`', 5)]);
  });

  it('what is kept back itself takes no place', () => {
    const steps = [send('a'), '{ wait: w, for: 20h }', send('b'), '{ wait: v, for: 20h }', send('c')];
    expect(said(DAILY, steps)).toEqual([FULL('b', '`a`')]);
  });

  it('only what counts for certain, on all of its channels', () => {
    const web = 'caps: { daily: { max: 1, per: 1d, channel: web } }\n';
    expect(said(web, [send('a', WEB), send('b', WEB)])).toEqual([FULL('b', '`a`', 5)]);
    expect(said(web, [send('a', BOTH), send('b', WEB)])).toEqual([]);
    expect(said(web, [send('a', WEB), send('b', BOTH)])).toEqual([]);
    expect(said('caps: { daily: { max: 1, per: 1d, category: tips } }\n', [send('a', NEWS), send('b')])).toEqual([]);
    expect(said(DAILY, [send('a', FREE), send('b')])).toEqual([]);
    expect(said(DAILY, [send('a'), send('b', FREE)])).toEqual([]);
  });

  it('what may stand in for another is left alone', () => {
    expect(said(DAILY, [send('a', WEB), send('b', BOTH)])).toEqual([]);
    expect(said(DAILY, [send('a', BOTH), send('b', WEB)])).toHaveLength(1);
    expect(said(DAILY, [send('a', NEWS), send('b')])).toEqual([]);
    expect(said(DAILY, [send('a', PLAIN), send('b')])).toHaveLength(1);
    expect(said(DAILY, [send('a'), send('b', PLAIN)])).toEqual([]);
    const rare = 'caps: { daily: { max: 1, per: 1d }, rare: { max: 1, per: 30d, category: news } }\n';
    const news = 'channels: [log], class: plain, category: news';
    expect(said(rare, [send('a', news), send('b', PLAIN)])).toEqual([]);
  });

  it('a run that an edit has moved has nothing behind it', () => {
    const steps = [send('a'), '{ wait: w, for: 4h }', send('b')];
    expect(said(DAILY, steps, 'moved: { old: w }')).toEqual([]);
  });

  it('is told of a draft too, and never of more ways than can be looked at', () => {
    expect(said('caps: { daily: { max: 1, per: 1d } }\n', [send('a'), send('b')], 'mode: draft')).toEqual([
      FULL('b', '`a`'),
      expect.stringContaining('no message counts towards the cap `daily`'),
    ]);
    const forks = Array.from(
      { length: 20 },
      (_, i) => `{ branch: b${i}, cases: [{ when: trigger.live, steps: [{ wait: w${i}, for: ${2 ** i}ms }] }] }`,
    );
    expect(said(DAILY, [send('a'), ...forks, send('b')])).toEqual([]);
  });
});
