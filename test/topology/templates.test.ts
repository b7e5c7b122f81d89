import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Scope } from '../../src/core/condition.ts';
import type { Scalar } from '../../src/core/event.ts';
import type { Trigger } from '../../src/core/state.ts';
import { emptyState } from '../../src/core/step.ts';
import { compileSmall, journeyWith, sendOf } from './small.ts';

const TEMPLATE = `
name: note
default: en
messages:
  en:
    title: "{{ trigger.show }}: {{ trigger.percent }} %"
    body: >-
      Hi {{ user.nickname | default: "there" }},
      {{ trigger.minutes | fixed: 2 }} minutes{% if trigger.rating %}, rated {{ trigger.rating }}{% endif %}
    url: "{{ params.home }}/{{ trigger.show | url_encode }}"
    channels:
      log: { title: "Log: {{ trigger.show }}" }
  de: { title: Hallo, body: "{{ session.counts.watched }} gesehen, {{ trigger.session.sums.minutes }} Minuten" }
  de-AT: { title: Servus, body: "" }
`;
const TOPOLOGY = `
params: { home: https://tv.example }
session: { sums: { minutes: { on: watched, add: event.minutes } } }
profile: { nickname: string? }
channels: { log: { device: false }, other: { device: false } }
classes: { plain: { consent: not_needed, capped: false, promise: at_most_once } }
`;

function compile(template = TEMPLATE) {
  const files = { 'topology.yaml': TOPOLOGY, 'templates/note.yaml': template, 'journeys/main.yaml': journeyWith('    template: note') };
  return compileSmall(files).program.journeys[0]!;
}

function scope(properties: Trigger['properties'], profile: Record<string, Scalar> = {}): Scope {
  const position = { topic: 'timeline', partition: 0, offset: 1 };
  const trigger: Trigger = {
    ...{ ...position, eventId: 'e', type: 'watched', occurredAtMs: 1, appendedAtMs: 1, properties, session: null, traceParent: null },
  };
  return { event: null, trigger, state: { ...emptyState('u'), profile }, nowMs: 1 };
}

const SEEN = { show: 'Lull & Co', percent: 80, minutes: 41.5 };

describe('a template', () => {
  it('is rendered from the trigger, the user and the params, with fallbacks for what is missing', () => {
    const journey = compile();
    const send = sendOf(journey);
    const { capture } = journey;
    expect(send.render!(scope(SEEN), 'en-GB', 'other')).toEqual({
      title: 'Lull & Co: 80 %',
      body: 'Hi there, 41.50 minutes',
      url: 'https://tv.example/Lull+%26+Co',
      image: null,
    });
    expect(send.render!(scope({ ...SEEN, rating: 5 }, { nickname: 'Ada' }), null, 'other').body).toBe('Hi Ada, 41.50 minutes, rated 5');
    expect(capture).toEqual(['minutes', 'percent', 'rating', 'show']);
  });

  it('says on a channel what is different there, and the rest as everywhere', () => {
    const content = sendOf(compile()).render!(scope(SEEN), 'en', 'log');
    expect(content).toMatchObject({ title: 'Log: Lull & Co', body: 'Hi there, 41.50 minutes' });
  });

  it.each([
    ['de-AT', 'Servus'],
    ['de_at', 'Servus'],
    ['de-CH', 'Hallo'],
    ['de', 'Hallo'],
    ['fr', 'Lull & Co: 80 %'],
    [null, 'Lull & Co: 80 %'],
    ['', 'Lull & Co: 80 %'],
  ])('for the locale %s says %s', (locale, title) => {
    expect(sendOf(compile()).render!(scope(SEEN), locale, 'other').title).toBe(title);
  });

  it('knows counts and sums of what did not happen as 0', () => {
    const journey = compile();
    expect(journey.captureSession).toBe(true);
    expect(sendOf(journey).render!(scope(SEEN), 'de', 'other').body).toBe('0 gesehen, 0 Minuten');
  });

  it('that misses a value it needs is an error of evaluation, with its place', () => {
    expect(() => sendOf(compile()).render!(scope({ show: 'Lull', percent: 1 }), 'en', 'other')).toThrow(EvaluationError);
    expect(() => sendOf(compile()).render!(scope({ show: null, percent: 1, minutes: 1 }), 'en', 'other')).toThrow(
      new EvaluationError('templates/note.yaml:6:12: `trigger.show` may be missing'),
    );
  });

  it('is plain text: what a user wrote is neither escaped nor run', () => {
    const send = sendOf(compile());
    expect(send.render!(scope({ ...SEEN, show: '{{ user.nickname }} <b>' }), 'en', 'other').title).toBe('{{ user.nickname }} <b>: 80 %');
  });

  it('that loops without an end is stopped', () => {
    const loop = TEMPLATE.replace('title: Servus', 'title: "{% for i in (1..100000000) %}{{ i }}{% endfor %}"');
    expect(() => compile(loop)).toThrow(/limit exceeded/);
  });
});
