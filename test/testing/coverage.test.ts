import { describe, expect, it } from 'vitest';
import { coverageOf, percentOf, type Coverage } from '../../src/testing/coverage.ts';
import { FEATURES } from '../../src/testing/features.ts';
import { testTopology } from '../../src/testing/suite.ts';
import { inFolder, SMALL, type Files } from '../topology/small.ts';

const OTHER = `
name: other
on: paused
steps:
  - { send: first, channels: [log], class: plain, ttl: 1h }
  - wait: later
    for: 1d
    until: watched
    then: [{ exit: seen }]
  - { send: second, channels: [log], class: plain, ttl: 1h }
`;
const EVENTS = `
defaults: { events: { watched: { percent: 10, minutes: 1.5, show: a, live: false }, paused: { show: a } } }
scenarios:
`;

function coverage(...suites: readonly string[]): Coverage {
  return coverageOf(
    suites.map((scenarios) => {
      const files: Files = { ...SMALL, 'journeys/other.yaml': OTHER, 'tests/all.yaml': `${EVENTS}${scenarios}` };
      return inFolder(files, (folder) => {
        const result = testTopology(folder, { app: 'test' });
        expect(result.errors).toEqual([]);
        return { ...result, folder: 'small' };
      });
    }),
  );
}

const SENDS = `
  - name: sends
    features: [A6, A7, own]
    timeline: [{ at: 0s, event: watched }]
    expect: { sent: [{ at: 0s, journey: main }] }
`;
const NEVER = `
  - name: never
    features: [A6, B3]
    timeline: [{ at: 0s, event: paused, imported: true, occurred: -1d }]
    expect: { never: [other] }
`;

const idsOf = (found: Coverage['features']) => found.filter(({ covered }) => covered).map(({ name }) => name);

describe('coverage', () => {
  it('knows every id of what can be noticed and done', () => {
    const ids = [...Array.from({ length: 15 }, (_, i) => `A${i + 1}`), ...Array.from({ length: 10 }, (_, i) => `B${i + 1}`)];
    expect([...FEATURES.keys()]).toEqual(ids);
  });

  it('of a feature takes a message that is sent and one that must not be, in any scenarios of any topologies', () => {
    expect(idsOf(coverage(SENDS).features)).toEqual([]);
    expect(idsOf(coverage(NEVER).features)).toEqual([]);
    expect(idsOf(coverage(SENDS + NEVER).features)).toEqual(['A6']);
    const { features } = coverage(SENDS, NEVER);
    expect(idsOf(features)).toEqual(['A6']);
    expect(percentOf(features)).toBe(4);
    const { reached } = features.find(({ name }) => name === 'A6')!;
    expect(reached.map(({ scenario, sends, refuses }) => [scenario.name, sends, refuses])).toEqual([
      ['sends', true, false],
      ['never', false, true],
    ]);
  });

  it('of a journey and its steps takes a decision of them', () => {
    const { journeys, steps } = coverage(SENDS + NEVER);
    expect(journeys.map(({ folder, name, covered }) => [folder, name, covered])).toEqual([
      ['small', 'main', true],
      ['small', 'other', false],
    ]);
    expect(steps.map(({ journey, name, covered }) => [journey, name, covered])).toEqual([
      ['main', 'note', true],
      ['other', 'first', false],
      ['other', 'later', false],
      ['other', 'seen', false],
      ['other', 'second', false],
    ]);
  });

  it('of a wait takes a run that stands in it, and of an exit one that ends there', () => {
    const { steps, features } = coverage(`
  - name: exits
    features: [B1]
    timeline: [{ at: 0s, event: paused }, { at: 1h, event: watched }]
    expect:
      sent: [{ at: 0s, journey: other, step: first }, { at: 1h, journey: main }]
      exited: [{ at: 1h, journey: other, step: seen, reason: exit }]
`);
    expect(steps.filter(({ journey, covered }) => journey === 'other' && covered).map(({ name }) => name)).toEqual([
      'first',
      'later',
      'seen',
    ]);
    // What ends without its second message is a case of not sending.
    expect(idsOf(features)).toEqual(['B1']);
  });

  it('counts no scenario that fails', () => {
    const { features, journeys } = coverage(SENDS.replace('expect: {', 'expect: { never: [main],'));
    expect(features.flatMap(({ reached }) => reached)).toEqual([]);
    expect(journeys.filter(({ covered }) => covered)).toEqual([]);
  });

  it("tells the authors' own ids apart, with their scenarios", () => {
    const { otherIds } = coverage(SENDS + NEVER);
    expect(otherIds.map(({ name, reached }) => [name, reached.map(({ scenario }) => scenario.name)])).toEqual([['own', ['sends']]]);
  });
});
