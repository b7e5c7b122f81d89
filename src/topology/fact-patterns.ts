import { differs } from '../core/attributes.ts';
import type { Scalar } from '../core/event.ts';
import { own } from '../core/own.ts';
import type { Attributes, StreakPattern } from '../core/pattern-kinds.ts';
import { attributeSignal, DATE_SIGNAL, type ValueType } from './catalogue.ts';
import type { FileExpressions } from './conditions.ts';
import { isDeclared } from './declared.ts';
import { durationMs } from './duration.ts';
import type { OnForm } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import { expectZone, localTime } from './local-time.ts';
import type { Matchers } from './matchers.ts';
import { didYouMean } from './suggest.ts';

/** The patterns that hang on lasting facts: numbers over the lifetime, attributes and dates. Each returns null where it is wrong: the issue is kept. */

const DAY_MS = 86_400_000;

export function compileMilestone(
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

export function compileStreak(
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
  if (breaks === undefined) expectZone('days need a zone', path, world, expressions);
  return { pattern, eventType: of.matcher.type, waitMs: breaks === undefined ? 0 : 2 * DAY_MS };
}

export function compileAttribute(
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
    const { inside, reads } = segment;
    const changed = (before: Attributes, after: Attributes): boolean =>
      entered === undefined ? inside(before) && !inside(after) : !inside(before) && inside(after);
    return { pattern: { kind: 'attribute', attribute: null, ...(reads === null ? {} : { reads }), changed }, eventType: null, waitMs: 0 };
  }
  const attribute = on[kind]!.of;
  const known = world.profile?.get(attribute);
  if (!isDeclared(attribute, [...path, 'of'], world.profile, expressions)) return null;
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
  const offsetMs = (after === undefined ? 0 : durationMs(after)) - (before === undefined ? 0 : durationMs(before));
  const atMinutes = at === undefined ? null : localTime(at, [...path, 'at'], world, expressions);
  return { pattern: { kind: 'date', attribute, offsetMs, atMinutes, yearly: kind === 'anniversary' }, eventType: DATE_SIGNAL, waitMs: 0 };
}

function isOf(value: Scalar, type: ValueType): boolean {
  if (type === 'string' || type === 'boolean') return typeof value === type;
  return type === 'double' ? typeof value === 'number' : Number.isSafeInteger(value);
}
