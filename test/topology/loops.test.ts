import { describe, expect, it } from 'vitest';
import { compileTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { inFolder, SMALL } from './small.ts';

const TOPOLOGY = `${SMALL['topology.yaml']!}
profile: { plan: string?, stage: string?, score: long?, due: time? }
segments:
  nudged: { when: 'coalesce(user.stage, "") == "nudged"' }
  scored: { when: 'coalesce(user.score, 0) > 3 && coalesce(user.stage, "") != "gone"' }
`;

interface Form {
  readonly on: string;
  readonly set: string;
}

/** What is said of journeys `a`, `b`, ... that each notice one thing and set one attribute. */
function said(...forms: readonly Form[]): string[] {
  const journeys = forms.map(({ on, set }, i) => {
    const name = String.fromCharCode(97 + i);
    return [`journeys/${name}.yaml`, `name: ${name}\non: ${on}\nsteps:\n  - update: mark\n    set: ${set}\n`] as const;
  });
  return inFolder({ ...SMALL, 'topology.yaml': TOPOLOGY, ...Object.fromEntries(journeys) }, (folder) => {
    const compiled = compileTopology(folder, { app: 'test' });
    return compiled.ok ? [] : compiled.errors.map((issue) => formatIssue({ ...issue, file: issue.file.replace(/^.*small\//, '') }));
  });
}

const HINT = '\n    say with `to` which value starts them, or set an attribute that starts none of them';

describe('journeys that start each other', () => {
  it('are refused where they could loop: at the step, with the whole way', () => {
    const back = 'coalesce(trigger.to, "") + "x"';
    expect(
      said(
        { on: '{ attribute: { of: plan } }', set: `{ stage: '${back}' }` },
        { on: '{ attribute: { of: stage } }', set: `{ plan: '${back}' }` },
      ),
    ).toEqual([
      `journeys/a.yaml:5:19: error: journeys that could loop: \`a\` sets \`stage\`, which starts \`b\`, which sets \`plan\`, which starts \`a\`${HINT}`,
    ]);
  });

  it('and none that waits for what its attribute never is', () => {
    expect(said({ on: '{ attribute: { of: plan, from: null, to: 3 } }', set: '{ score: "1" }' })).toEqual([
      'journeys/a.yaml:2:46: error: `plan` is a string: it is never `3`',
    ]);
  });

  it.each<[string, Form]>([
    ['any change of what it sets', { on: '{ attribute: { of: plan } }', set: `{ plan: '"pro"' }` }],
    ['the value that it sets', { on: '{ attribute: { of: plan, to: pro } }', set: `{ plan: '"pro"' }` }],
    ['what it counts up', { on: '{ attribute: { of: score } }', set: `{ score: "coalesce(user.score, 0) + 1" }` }],
    ['the segment that it sets people into', { on: '{ segment: { entered: nudged } }', set: `{ stage: '"nudged"' }` }],
    ['a segment that reads what it sets', { on: '{ segment: { left: scored } }', set: `{ score: "coalesce(user.score, 0) + 1" }` }],
    ['a date that it moves', { on: '{ date: { of: due } }', set: `{ due: 'coalesce(user.due, trigger.occurredAt) + duration("24h")' }` }],
  ])('so is one that starts itself: %s', (_what, form) => {
    expect(said(form)).toEqual([expect.stringContaining('journeys that could loop: `a` sets')]);
  });

  it.each<[string, Form]>([
    ['another value', { on: '{ attribute: { of: plan, to: pro } }', set: `{ plan: '"seen"' }` }],
    ['a change from what nobody sets', { on: '{ attribute: { of: plan, from: free } }', set: `{ plan: '"seen"' }` }],
    ['a segment that people are not in then', { on: '{ segment: { entered: nudged } }', set: `{ stage: '"done"' }` }],
    ['another attribute', { on: '{ segment: { entered: nudged } }', set: '{ score: "coalesce(user.score, 0) + 1" }' }],
    ['a date that is always the same', { on: '{ date: { of: due } }', set: `{ due: 'timestamp("2030-01-01T00:00:00Z")' }` }],
    ['an event', { on: 'watched', set: `{ plan: '"pro"' }` }],
  ])('not one that waits for %s', (_what, form) => {
    expect(said(form)).toEqual([]);
  });
});
