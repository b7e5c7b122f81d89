import { differs } from '../core/attributes.ts';
import { own } from '../core/own.ts';
import { SESSION_STARTED } from '../core/program-index.ts';
import type { Attributes, CountPattern, Pattern, SequenceLink, SequencePattern, StreakPattern } from '../core/program.ts';
import { attributeSignal, DATE_SIGNAL, type ValueType } from './catalogue.ts';
import type { Scalar } from '../core/event.ts';
import type { FileExpressions } from './conditions.ts';
import { parseDuration } from './duration.ts';
import type { JourneyFile, OnForm } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { Loaded } from './load.ts';
import { localTime } from './local-time.ts';
import type { CompiledMatcher, Matchers } from './matchers.ts';
import { didYouMean } from './suggest.ts';

const KINDS = [
  ...['event', 'count', 'absence', 'sequence', 'inactive', 'dormant', 'session_started', 'session_ended', 'milestone', 'streak'],
  ...['attribute', 'segment', 'date', 'anniversary'],
] as const satisfies readonly (keyof OnForm)[];

/** Reduces `on` to a pattern of the core; null where it is wrong: the issue is kept. */
export function compilePattern(
  { source, value }: Loaded<JourneyFile>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const on: OnForm = typeof value.on === 'string' ? { event: value.on } : value.on;
  const fail = (...issue: Parameters<typeof source.issue>): null => {
    expressions.issues.push(source.issue(...issue));
    return null;
  };
  const given = KINDS.filter((kind) => on[kind] !== undefined);
  const kind = given[0];
  if (kind === undefined) return fail(['on'], '`on` says nothing to notice', `one of ${KINDS.join(', ')}`);
  if (given.length > 1)
    return fail(['on', given[1]!], `\`on\` has both ${given.join(' and ')}`, 'a journey notices one thing: make two journeys of it');
  if (on.where !== undefined && kind !== 'event')
    return fail(['on', 'where'], '`where` belongs to an event', `put it inside of \`${kind}\``);

  switch (kind) {
    case 'event': {
      const event = on.event!;
      const form = on.where === undefined ? event : { event, where: on.where };
      // The shortest form (`on: app_opened`) stands one level higher.
      const matcher =
        typeof value.on === 'string'
          ? matchers.one(event, ['on'], TRIGGER)
          : matchers.one(form, on.where === undefined ? ['on', 'event'] : ['on'], TRIGGER);
      if (matcher === null || !keyed.check([matcher])) return null;
      return { pattern: { kind, on: matcher.matcher }, eventType: event, waitMs: 0 };
    }
    case 'absence': {
      const form = on.absence!;
      const after = matchers.one(form.after, ['on', 'absence', 'after'], { place: 'event', any: false });
      const path = ['on', 'absence', 'without'];
      const without = matchers.list(form.without, path, { place: 'event', any: true });
      if (Array.isArray(form.without) && form.without.length === 0)
        return fail(
          path,
          '`without` is empty: nothing could keep this from firing',
          'name what should have happened, or "*" for any activity',
        );
      if (!onlyKeyed(without, expressions, 'an absence') || after === null || without.length === 0 || !keyed.check([after, ...without]))
        return null;
      const withinMs = parseDuration(form.within) ?? 0;
      if (withinMs === 0) return fail(['on', 'absence', 'within'], '`within` must be longer than nothing');
      const keepMs = Math.max(world.settings.maxEventAgeMs, 2 * withinMs);
      const withoutId = world.trackers.add([after, ...without], keyed.key, keepMs);
      const pattern: Pattern = { kind: 'sequence', on: after.matcher, links: [], withoutId, withinMs };
      return { pattern, eventType: after.matcher.type, waitMs: withinMs };
    }
    case 'count':
      return compileCount(on.count!, world, expressions, matchers, keyed);
    case 'sequence':
      return compileSequence(on.sequence!, world, expressions, matchers, keyed);
    case 'inactive': {
      const form = on.inactive!;
      const forMs = parseDuration(form.for) ?? 0;
      if (forMs === 0) return fail(['on', 'inactive', 'for'], '`for` must be longer than nothing');
      if (form.after === undefined) {
        if (keyed.key !== null) return fail(['key'], 'a silence without `after` has no property to be told apart by', 'leave `key` away');
        return { pattern: { kind, since: null, forMs }, eventType: null, waitMs: forMs };
      }
      const after = matchers.one(form.after, ['on', 'inactive', 'after'], TRIGGER);
      if (after === null || !keyed.check([after])) return null;
      return { pattern: { kind, since: after.matcher, forMs }, eventType: after.matcher.type, waitMs: forMs };
    }
    case 'dormant': {
      const forMs = parseDuration(on.dormant!.for) ?? 0;
      if (forMs === 0) return fail(['on', 'dormant', 'for'], '`for` must be longer than nothing');
      if (keyed.key !== null) return fail(['key'], 'a dormant user has no property to be told apart by', 'leave `key` away');
      return { pattern: { kind: 'inactive', since: null, forMs }, eventType: null, waitMs: forMs };
    }
    case 'session_started': {
      if (keyed.key !== null) return fail(['key'], 'the start of a session has no property to be told apart by', 'leave `key` away');
      const where = expressions.condition(on.session_started?.where, { kind: 'started' }, ['on', 'session_started', 'where']);
      return { pattern: { kind: 'event', on: { type: SESSION_STARTED, where } }, eventType: null, waitMs: 0 };
    }
    case 'milestone':
      return compileMilestone(on.milestone!, world, expressions, matchers, keyed);
    case 'streak':
      return compileStreak(on.streak!, world, expressions, matchers, keyed);
    case 'attribute':
    case 'segment':
    case 'date':
    case 'anniversary':
      if (keyed.key !== null) return fail(['key'], 'an attribute has no property to be told apart by', 'leave `key` away');
      return compileAttribute(on, kind, world, expressions);
    case 'session_ended': {
      const form = on.session_ended ?? {};
      if (keyed.key !== null) return fail(['key'], 'the end of a session has no property to be told apart by', 'leave `key` away');
      const where = expressions.condition(form.where, { kind: 'session' }, ['on', 'session_ended', 'where']);
      const delayMs = form.delay === undefined ? 0 : (parseDuration(form.delay) ?? 0);
      return { pattern: { kind, where, delayMs }, eventType: null, waitMs: world.settings.sessionGapMs + delayMs };
    }
  }
}

function compileMilestone(
  form: NonNullable<OnForm['milestone']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const path = ['on', 'milestone'];
  const of = matchers.one(form.of, [...path, 'of'], { place: 'event', any: false });
  if (of === null || !keyed.check([of])) return null;
  const { at, every } = form;
  if ((at === undefined) === (every === undefined)) {
    expressions.wrong(path, 'a milestone is `at` some numbers, or `every` so many', 'write one of the two');
    return null;
  }
  const numbers = new Set([at ?? []].flat());
  const isReached = (count: number): boolean => (every === undefined ? numbers.has(count) : count % every === 0);
  const tallyId = world.tallies.add('events', of, keyed.key);
  return { pattern: { kind: 'milestone', on: of.matcher, tallyId, isReached }, eventType: of.matcher.type, waitMs: 0 };
}

function compileStreak(
  form: NonNullable<OnForm['streak']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const path = ['on', 'streak'];
  const of = matchers.one(form.of, [...path, 'of'], { place: 'event', any: false });
  if (of === null || !keyed.check([of])) return null;
  const { days, at_least: least, breaks_at: breaks } = form;
  if ((days === undefined) === (least === undefined)) {
    expressions.wrong(path, 'a streak has so many `days`, or `at_least` so many', 'write one of the two');
    return null;
  }
  const numbers = new Set([days ?? []].flat());
  const pattern: StreakPattern = {
    kind: 'streak',
    on: of.matcher,
    tallyId: world.tallies.add('days', of, keyed.key),
    isReached: (length) => (least === undefined ? numbers.has(length) : length >= least),
    breaksAtMinutes: breaks === undefined ? null : localTime(breaks, [...path, 'breaks_at'], world, expressions),
  };
  if (world.settings.timeZone === null && breaks === undefined)
    expressions.wrong(
      path,
      'days need a zone',
      'add `time_zone: Europe/Berlin` (an IANA name) to topology.yaml, for users of whom no zone is known',
    );
  return { pattern, eventType: of.matcher.type, waitMs: breaks === undefined ? 0 : 2 * DAY_MS };
}

function compileAttribute(
  on: OnForm,
  kind: 'attribute' | 'segment' | 'date' | 'anniversary',
  world: JourneyWorld,
  expressions: FileExpressions,
): PatternUse | null {
  const path = ['on', kind];
  if (kind === 'segment') {
    const { entered, left } = on.segment!;
    const name = entered ?? left;
    if (name === undefined || (entered !== undefined && left !== undefined)) {
      expressions.wrong(path, 'a segment is `entered` or `left`', 'write one of the two');
      return null;
    }
    const segment = world.segments.get(name);
    if (segment === undefined) {
      const at = [...path, entered === undefined ? 'left' : 'entered'];
      expressions.wrong(
        at,
        `there is no segment \`${name}\` in topology.yaml`,
        didYouMean(name, world.segments.keys(), 'segments') ?? 'add it under `segments`',
      );
      return null;
    }
    const { inside } = segment;
    const changed = (before: Attributes, after: Attributes): boolean =>
      entered === undefined ? inside(before) && !inside(after) : !inside(before) && inside(after);
    return { pattern: { kind: 'attribute', attribute: null, changed }, eventType: null, waitMs: 0 };
  }
  const attribute = on[kind]!.of;
  const known = world.profile?.get(attribute);
  if (world.profile !== null && known === undefined) {
    expressions.wrong(
      [...path, 'of'],
      `users have no attribute \`${attribute}\``,
      didYouMean(attribute, world.profile.keys(), 'under `profile`') ?? 'declare it under `profile`',
    );
    return null;
  }
  if (kind === 'attribute') {
    const { from, to } = on.attribute!;
    for (const [field, value] of Object.entries({ from, to }))
      if (known !== undefined && value !== undefined && value !== null && !isOf(value, known.type))
        expressions.wrong([...path, field], `\`${attribute}\` is a ${known.type}: it is never \`${String(value)}\``);
    const changed = (before: Attributes, after: Attributes): boolean => {
      const [was, is] = [own(before, attribute) ?? null, own(after, attribute) ?? null];
      return differs(before, after, attribute) && (from === undefined || was === from) && (to === undefined || is === to);
    };
    return {
      pattern: { kind: 'attribute', attribute, changed },
      eventType: known === undefined ? null : attributeSignal(attribute),
      waitMs: 0,
    };
  }
  if (known !== undefined && known.type !== 'time') {
    expressions.wrong(
      [...path, 'of'],
      `\`${attribute}\` is a ${known.type}, and no time`,
      'declare it as `time` under `profile`: milliseconds since 1970',
    );
    return null;
  }
  const { before, after, at } = kind === 'date' ? on.date! : { before: undefined, after: undefined, ...on.anniversary! };
  if (before !== undefined && after !== undefined) {
    expressions.wrong(path, 'a date is `before` or `after`', 'write one of the two');
    return null;
  }
  const offsetMs = (after === undefined ? 0 : (parseDuration(after) ?? 0)) - (before === undefined ? 0 : (parseDuration(before) ?? 0));
  const atMinutes = at === undefined ? null : localTime(at, [...path, 'at'], world, expressions);
  return { pattern: { kind: 'date', attribute, offsetMs, atMinutes, yearly: kind === 'anniversary' }, eventType: DATE_SIGNAL, waitMs: 0 };
}

function isOf(value: Scalar, type: ValueType): boolean {
  if (type === 'string' || type === 'boolean') return typeof value === type;
  return type === 'double' ? typeof value === 'number' : Number.isSafeInteger(value);
}

function compileCount(
  form: NonNullable<OnForm['count']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const of = matchers.one(form.of, ['on', 'count', 'of'], { place: 'event', any: false });
  const without = matchers.list(form.without, ['on', 'count', 'without'], { place: 'event', any: true });
  if (!onlyKeyed(without, expressions, 'a count') || of === null || !keyed.check([of, ...without])) return null;
  const withinMs = form.within === 'session' ? null : (parseDuration(form.within) ?? 0);
  if (withinMs === 0) {
    expressions.wrong(['on', 'count', 'within'], '`within` must be longer than nothing');
    return null;
  }
  const keepMs = Math.max(world.settings.maxEventAgeMs, 2 * (withinMs ?? 0));
  const pattern: CountPattern = {
    kind: 'count',
    on: of.matcher,
    trackerId: world.trackers.add([of], keyed.key, keepMs, { restrains: false, cap: form.times }),
    withoutId: without.length === 0 ? null : world.trackers.add(without, keyed.key, keepMs),
    times: form.times,
    withinMs,
  };
  return { pattern, eventType: of.matcher.type, waitMs: 0 };
}

function compileSequence(
  form: NonNullable<OnForm['sequence']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const path = ['on', 'sequence', 'of'];
  const withinMs = parseDuration(form.within) ?? 0;
  const keepMs = Math.max(world.settings.maxEventAgeMs, 2 * withinMs);
  const before = expressions.issues.length;
  if (withinMs === 0) expressions.wrong(['on', 'sequence', 'within'], '`within` must be longer than nothing');
  const events: CompiledMatcher[] = [];
  const links: SequenceLink[] = [];
  let withoutId: string | null = null;
  form.of.forEach((element, i) => {
    const at = [...path, i];
    if (typeof element !== 'string' && 'without' in element) {
      const without = matchers.list(element.without, [...at, 'without'], { place: 'event', any: true });
      onlyKeyed(without, expressions, 'a sequence');
      if (i === 0) expressions.wrong(at, 'a sequence begins with an event', 'say first what has to happen');
      else if (withoutId !== null) expressions.wrong(at, 'two `without` in a row', 'write one with a list');
      else if (keyed.check(without)) withoutId = world.trackers.add(without, keyed.key, keepMs);
      return;
    }
    if (typeof element !== 'string' && !('event' in element)) {
      expressions.wrong(at, 'neither an event nor a `without`', 'write `{ event: type, where: condition }` or `{ without: type }`');
      return;
    }
    const event = matchers.one(element, at, { place: i === 0 ? 'trigger' : 'event', any: false });
    if (event === null || !keyed.check([event])) return;
    if (i > 0) links.push({ trackerId: world.trackers.add([event], keyed.key, keepMs, { restrains: false }), withoutId });
    events.push(event);
    withoutId = null;
  });
  const [first] = events;
  if (expressions.issues.slice(before).some(({ severity }) => severity === 'error') || first === undefined) return null;
  const { matcher } = first;
  if (links.length === 0) {
    expressions.wrong(path, 'a sequence has at least two events', 'one event and what must not follow it is an `absence`');
    return null;
  }
  const pattern: SequencePattern = { kind: 'sequence', on: matcher, links, withoutId, withinMs };
  return { pattern, eventType: matcher.type, waitMs: withinMs };
}

/** What breaks a pattern has the journey's key, like the rest of it. */
function onlyKeyed(without: readonly CompiledMatcher[], expressions: FileExpressions, what: string): boolean {
  const perUser = without.find((matcher) => matcher.perUser);
  if (perUser !== undefined)
    expressions.wrong(perUser.path, '`per: user` is not possible in `without`', `everything in ${what} has the journey’s key`);
  return perUser === undefined;
}

const DAY_MS = 86_400_000;
const TRIGGER = { place: 'trigger', any: false } as const;
