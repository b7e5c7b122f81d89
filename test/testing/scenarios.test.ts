import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatResult } from '../../src/testing/report.ts';
import { testTopology } from '../../src/testing/suite.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { inFolder, SMALL, type Files } from '../topology/small.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');

describe('the topologies of this repository', () => {
  it.each(readdirSync(TOPOLOGIES))('%s has no error, and its scenarios pass', (name) => {
    const { errors, warnings, results } = testTopology(path.join(TOPOLOGIES, name), { app: 'test' });
    expect([...errors, ...warnings].map(formatIssue)).toEqual([]);
    expect(results.filter(({ passed }) => !passed).map(formatResult)).toEqual([]);
    expect(results.length).toBeGreaterThan(0);
  });

  it('shop sends in at least one scenario of every journey, and refuses to in another', () => {
    const { results, topology } = testTopology(path.join(TOPOLOGIES, 'shop'), { app: 'test' });
    for (const { name } of topology!.program.journeys) {
      const expected = results.map(({ scenario }) => scenario);
      const sends = (journey: string) =>
        expected.filter((scenario) => scenario.expected.some(({ kind, fields }) => kind === 'sent' && fields['journey'] === journey));
      const refuses = expected.filter(
        ({ expected: items, never }) =>
          items.some(({ kind, fields }) => kind === 'rejected' && fields['journey'] === name) ||
          never.some(({ journey }) => journey === name),
      );
      expect(sends(name).length, name).toBeGreaterThan(0);
      expect(refuses.length, name).toBeGreaterThan(0);
    }
  });
});

const TOPOLOGY: Files = {
  ...SMALL,
  'topology.yaml': `
session: { gap: 30m }
profile: { nickname: string? }
channels: { log: { device: false }, fcm: {} }
categories: { news: { default: out } }
classes: { plain: { consent: required, capped: true, promise: at_most_once } }
caps: { hourly: { max: 1, per: 1h } }
`,
  'journeys/main.yaml': `
name: main
on: { absence: { after: watched, without: paused, within: 1h } }
key: show
steps:
  - send: note
    channels: [fcm, log]
    class: plain
    category: news
    ttl: 1h
    data: { show: trigger.show, name: 'coalesce(user.nickname, "nobody")' }
`,
};

const DEFAULTS = `
defaults:
  given: { consent: { news: in } }
  events:
    watched: { percent: 10, minutes: 1.5, show: a, live: false }
    paused: { show: a }
scenarios:
`;

/** The report of one file of scenarios, as \`lull test\` prints it, with paths from inside of the topology. */
function report(scenarios: string, more: Files = {}): string[] {
  return inFolder({ ...TOPOLOGY, ...more, 'tests/all.yaml': `${DEFAULTS}${scenarios}` }, (folder) => {
    const { errors, results } = testTopology(folder, { app: 'test' });
    const lines = [...errors.map(formatIssue), ...results.filter(({ passed }) => !passed).map(formatResult)];
    return lines.flatMap((text) => text.replaceAll(`${folder}${path.sep}`, '').split('\n'));
  });
}

describe('a scenario', () => {
  it('passes where everything that comes is expected', () => {
    expect(
      report(`
  - name: silence
    timeline: [{ at: 0s, event: watched }]
    expect: { sent: [{ at: 1h, journey: main, step: note, key: a, channel: log, occurrence: watched-1, data: { show: a, name: nobody } }] }
  - name: no silence
    timeline: [{ at: 0s, event: watched }, { at: 10m, event: paused }]
    expect: { never: [main] }
`),
    ).toEqual([]);
  });

  it('fails on what did not come', () => {
    expect(
      report(`
  - name: silence
    timeline: [{ at: 0s, event: watched }, { at: 10m, event: paused }]
    expect: { sent: [{ at: 1h, journey: main, key: a }] }
`),
    ).toEqual(['tests/all.yaml:9: silence', '    expected  1h        sent      main key=a  (line 11)', '    got       nothing']);
  });

  it('fails on what came and was not expected', () => {
    expect(
      report(`
  - name: silence
    timeline: [{ at: 0s, event: watched }]
    expect: {}
  - name: never
    timeline: [{ at: 0s, event: watched }]
    expect: { sent: [{ at: 1h, journey: main }], never: [main] }
`),
    ).toEqual([
      'tests/all.yaml:9: silence',
      '    expected  nothing  (line 9)',
      '    got       1h        sent      main/note key=a channel="log"',
      'tests/all.yaml:12: never',
      '    expected  nothing  (line 14)',
      '    got       1h        sent      main/note key=a channel="log"',
    ]);
  });

  it('shows what came instead, and why', () => {
    expect(
      report(`
  - name: another time and text
    timeline: [{ at: 0s, event: watched }]
    expect: { sent: [{ at: 30m, journey: main, data: { name: Ada } }] }
  - name: rejected instead
    given: { consent: { news: out } }
    timeline: [{ at: 0s, event: watched }]
    expect: { sent: [{ at: 1h, journey: main, key: a }] }
  - name: another reason
    given: { consent: { news: out } }
    timeline: [{ at: 0s, event: watched }]
    expect: { rejected: [{ at: 1h, journey: main, key: a, reason: cap }] }
`),
    ).toEqual([
      'tests/all.yaml:9: another time and text',
      '    expected  30m       sent      main data.name="Ada"  (line 11)',
      '    got       1h        sent      main/note key=a data.name="nobody"',
      'tests/all.yaml:12: rejected instead',
      '    expected  1h        sent      main key=a  (line 15)',
      '    got       1h        rejected  main/note key=a reason="consent"  (out of news)',
      'tests/all.yaml:16: another reason',
      '    expected  1h        rejected  main key=a reason="cap"  (line 19)',
      '    got       1h        rejected  main/note key=a reason="consent"  (out of news)',
    ]);
  });

  it('sees what waits, and until when', () => {
    expect(
      report(`
  - name: waits
    timeline:
      - { at: 0s, event: watched }
      - { at: 5m, event: watched, with: { show: b } }
      - { at: 10m, waiting: [{ journey: main, key: a, until: 1h }, { journey: main, key: b, until: 1h }] }
      - { at: 20m, waiting: [{ journey: main, key: a }, { journey: main, key: b }] }
    until: 30m
    expect: {}
`),
    ).toEqual([
      'tests/all.yaml:9: waits',
      '    expected  1h        waiting   main key=b  (line 13)',
      '    got       nothing',
      '    expected  nothing  (line 13)',
      '    got       1h5m      waiting   main key=b',
    ]);
  });

  it('of what comes again every year has no end, unless it says how long to look', () => {
    const yearly = TOPOLOGY['journeys/main.yaml']!.replace(/^on: .*$/m, 'on: { anniversary: { of: since } }')
      .replace('key: show\n', '')
      .replace('show: trigger.show, ', '');
    const topology = TOPOLOGY['topology.yaml']!.replace('nickname: string?', 'nickname: string?, since: time?');
    const scenario = (until: string) => `
  - name: yearly
    given: { profile: { since: 0s }, consent: { news: in } }
    timeline: []${until}
    expect:
      sent: [{ at: 365d, journey: main }]
`;
    const files = { 'journeys/main.yaml': yearly, 'topology.yaml': topology };
    expect(report(scenario('\n    until: 400d'), files)).toEqual([]);
    expect(report(scenario(''), files)).toContain(
      '    got       1461d     waiting   main  (it always waits anew: say with `until` how long to look)',
    );
  });

  it('decides what is due before an event, and what is due in its moment behind it, unless a tick is before it', () => {
    const expectation = (tick: string) => `
    timeline: [{ at: 0s, event: watched }, ${tick} { at: 1h, event: $profile, with: { nickname: Ada } }]
    expect: { sent: [{ at: 1h, journey: main, data: { name: `;
    expect(
      report(`
  - name: behind the event
${expectation('')} Ada } }] }
  - name: before the event
${expectation('{ at: 1h, tick: true },')} nobody } }] }
`),
    ).toEqual([]);
  });

  it('decides nothing while the processor is down, and everything in order after that', () => {
    expect(
      report(`
  - name: down
    timeline:
      - { at: 0s, event: watched }
      - { at: 1m, event: watched, with: { show: b } }
      - { at: 10m, down_for: 2h }
      - { at: 30m, profile: { nickname: Ada } }
    expect:
      sent: [{ at: 2h10m, journey: main, key: a, data: { name: Ada } }]
      rejected: [{ at: 2h10m, journey: main, key: b, reason: cap }]
`),
    ).toEqual([]);
  });

  it('that speaks of what does not exist is a mistake, not a failure, and is not run', () => {
    expect(
      report(`
  - name: mistakes
    timeline:
      - { at: 1h, event: wached }
      - { at: 30m, event: watched, with: { percent: lots, shwo: a } }
      - { at: 2h, event: billed }
      - { at: 2h, event: paused, tick: true }
      - { at: 2h, profile: {}, id: x }
      - { at: 2h, event: $consent, with: { category: news, state: maybe } }
      - { at: 2h, event: $tick }
    expect:
      sent: [{ at: 1h, journey: man, step: note }, { at: 1h, journey: main, step: nte }]
      rejected: [{ at: 1h, journey: main, reason: caps }]
`),
    ).toEqual([
      'tests/all.yaml:11:26: error: there is no event `wached` in events.yaml',
      '    did you mean `watched`?',
      'tests/all.yaml:12:15: error: `30m` is before the entry above',
      '    write the timeline in the order of the log; `occurred` is for what happened earlier',
      'tests/all.yaml:12:53: error: `percent` is a long, not `lots`',
      'tests/all.yaml:12:65: error: `watched` has no property `shwo`',
      '    did you mean `show`?',
      'tests/all.yaml:13:9: error: `billed` has no `amount` here',
      '    give it a value, in `with` or under defaults; amount: null leaves it away on purpose',
      'tests/all.yaml:14:9: error: several things happen here: event, tick',
      '    one of event, item, profile, devices, consent, delivered, opened, clicked, dismissed, tick, down_for, waiting, edit; each has its own entry',
      'tests/all.yaml:15:36: error: `id` belongs to an event',
      'tests/all.yaml:16:26: error: $consent: property state must be one of in, out (the choice)',
      "tests/all.yaml:17:26: error: $tick is not among the reserved events, and types that start with $ are Lull's own",
      'tests/all.yaml:19:33: error: there is no journey `man`',
      '    did you mean `main`?',
      'tests/all.yaml:19:83: error: `main` has no step `nte`',
      '    did you mean `note`?',
      'tests/all.yaml:20:51: error: there is no reason `caps`',
      '    did you mean `cap`?',
    ]);
  });

  it('knows no person whom the topology would not know', () => {
    expect(
      report(`
  - name: facts
    given:
      profile: { nickname: 7, nikname: Ada, zone: New York }
      devices: [{ kind: fmc, zone: Europe/Berln }]
      consent: { nwes: out, news/sms: in }
    timeline:
      - { at: 1h, event: watched }
      - { at: 1h, profile: { nickname: null, zone: Europe/Berlin } }
      - { at: 1h, waiting: [{ journey: main, step: nte }] }
    expect:
      sent: [{ at: 2h, journey: main, channel: push }]
`),
    ).toEqual([
      'tests/all.yaml:11:28: error: `nickname` is a string, not `7`',
      'tests/all.yaml:11:40: error: there is no attribute `nikname`',
      '    did you mean `nickname`?',
      'tests/all.yaml:11:51: error: there is no time zone `New York`',
      '    an IANA name, such as Europe/Berlin',
      'tests/all.yaml:12:25: error: no channel reaches a device of kind `fmc`',
      '    did you mean `fcm`?',
      'tests/all.yaml:12:36: error: there is no time zone `Europe/Berln`',
      '    an IANA name, such as Europe/Berlin',
      'tests/all.yaml:13:24: error: there is no category `nwes`',
      '    did you mean `news`?',
      'tests/all.yaml:13:39: error: there is no channel `sms`',
      '    channels: fcm, log',
      'tests/all.yaml:17:52: error: `main` has no step `nte`',
      '    did you mean `note`?',
      'tests/all.yaml:19:48: error: there is no channel `push`',
      '    channels: fcm, log',
    ]);
  });
});
