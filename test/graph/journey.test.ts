import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { edgesOf, nodesOf } from '../../src/graph/chart.ts';
import type { Chart } from '../../src/graph/chart.ts';
import { chartOf } from '../../src/graph/journey.ts';
import type { StepForm } from '../../src/topology/files.ts';
import { exampleChart, journey } from './example.ts';

const send = { send: 'note', channels: ['fcm', 'log'], class: 'plain', ttl: '1h' } as const;

const EVERY_STEP: readonly StepForm[] = [
  send,
  { wait: 'opened', for: '4h', until: { opened: 'note' }, look_back: 'trigger', then: [{ exit: 'read' }] },
  {
    branch: 'plan',
    cases: [{ when: 'user.a', steps: [{ update: 'mark', set: { stage: '"x"', live: false } }] }, { when: 'user.b' }],
  },
  {
    split: 'half',
    arms: [
      { name: 'yes', share: 12.5, steps: [{ ...send, send: 'more' }] },
      { name: 'no', share: 87.5 },
    ],
  },
];

/** `a -> b` by the names of steps. */
function arrows(chart: Chart): string[] {
  const nameOf = new Map(nodesOf(chart.blocks).map(({ id, kind, name }) => [id, name ?? kind]));
  return edgesOf(chart).map(({ from, to, labels }) => `${nameOf.get(from)!} -${labels.join('/')}-> ${nameOf.get(to)!}`);
}

describe('the chart of a journey', () => {
  it('has a node for each kind of step of the language', () => {
    const schema = JSON.parse(readFileSync(new URL('../../schemas/topology/journey.schema.json', import.meta.url), 'utf8')) as {
      definitions: { step: { allOf: readonly { if: { required: readonly string[] } }[] } };
    };
    const drawn = new Set(nodesOf(chartOf(journey('a', { steps: EVERY_STEP }), []).blocks).map(({ kind }) => kind));
    for (const { if: condition } of schema.definitions.step.allOf) expect(drawn).toContain(condition.required[0]);
    expect([...drawn].sort()).toEqual(['branch', 'end', 'exit', 'send', 'split', 'trigger', 'update', 'wait']);
  });

  it('leads from each step to the next, and from ways to what stands behind them', () => {
    expect(arrows(chartOf(journey('a', { steps: EVERY_STEP }), []))).toEqual([
      'trigger --> note',
      'note --> opened',
      'opened -came-> read',
      'opened -over-> plan',
      'plan -user.a-> mark',
      'plan -user.b/else-> half',
      'mark --> half',
      'half -yes · 12.5 %-> more',
      'half -no · 87.5 %-> end',
      'more --> end',
    ]);
  });

  it('has no end where every way leaves', () => {
    const steps: StepForm[] = [{ branch: 'b', cases: [{ when: 'user.a', steps: [{ exit: 'one' }] }], else: [{ exit: 'two' }] }];
    expect(arrows(chartOf(journey('a', { steps }), []))).toEqual(['trigger --> b', 'b -yes-> one', 'b -no-> two']);
  });

  it('asks the only case of a branch as a question, and says what each step does', () => {
    const chart = exampleChart('saas', 'welcome');
    expect(nodesOf(chart.blocks).map(({ kind, name, text }) => [kind, name, text])).toEqual([
      ['trigger', null, 'signed_up'],
      ['send', 'hello', '“Welcome, [firstName]!”'],
      ['wait', 'tour', 'Wait up to 1d for tour_finished'],
      ['send', 'tour_help', '“Shall we finish the tour?”'],
      ['wait', 'tour_help_opened', 'Wait up to 8h for tour_help to be opened'],
      ['update', 'mark_interested', 'stage = "interested"'],
      ['wait', 'third_day', 'Wait 2d, then until 10:00'],
      ['branch', 'by_plan', 'user.plan = "team"?'],
      ['send', 'invite_team', '“Bring your team”'],
      ['exit', 'team_asked', 'Exit'],
      ['send', 'invite_friend', '“Better with somebody”'],
      ['end', null, 'End'],
    ]);
  });

  it('says beside it what holds for the whole journey', () => {
    expect(exampleChart('shop', 'cart_abandoned').facts).toEqual([
      { label: 'Stops it at once', text: 'purchase_completed or checkout_started' },
      { label: 'How often', text: 'at most once every 7d per cartId' },
      { label: 'Too late', text: 'more than 6h behind its moment' },
    ]);
    const whole = { goal: 'paid', audience: 'user.plan == "pro"', reentry: 'once', key: 'cart' } as const;
    expect(chartOf(journey('a', whole), []).facts).toEqual([
      { label: 'Goal, ends it at once', text: 'paid' },
      { label: 'Only for', text: 'user.plan = "pro"' },
      { label: 'How often', text: 'once per cart' },
    ]);
    const often = { label: 'How often', text: 'every time' };
    expect(chartOf(journey('a'), []).facts).toEqual([often]);
    expect(chartOf(journey('a', { mode: 'live' }), []).facts).toEqual([often]);
    expect(chartOf(journey('a', { mode: 'draft' }), []).facts).toEqual([{ label: 'Not live', text: 'a draft, takes no part' }, often]);
    expect(chartOf(journey('a', { mode: 'shadow' }), []).facts).toEqual([
      { label: 'Not live', text: 'in the shadow, decides and sends nothing' },
      often,
    ]);
  });

  it('shows the text of a message whose title is only what the event says', () => {
    const texts = nodesOf(exampleChart('media', 'continue_reading').blocks).map(({ text }) => text);
    expect(texts).toContain('“[title]: You stopped at [percent] %. Go on where you were.”');
  });
});
