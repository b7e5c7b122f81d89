import type { CountPattern, SequenceLink, SequencePattern } from '../core/pattern-kinds.ts';
import type { FileExpressions } from './conditions.ts';
import { durationMs } from './duration.ts';
import type { OnForm } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { CompiledMatcher, Matchers } from './matchers.ts';

/** The patterns that are made of several events. Each returns null where it is wrong: the issue is kept. */

export function compileCount(
  form: NonNullable<OnForm['count']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const of = matchers.one(form.of, ['on', 'count', 'of'], { place: 'event', any: false });
  const without = matchers.list(form.without, ['on', 'count', 'without'], { place: 'event', any: true });
  if (!onlyKeyed(without, expressions, 'a count') || of === null || !keyed.check([of, ...without])) return null;
  const withinMs = form.within === 'session' ? null : durationMs(form.within);
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

export function compileSequence(
  form: NonNullable<OnForm['sequence']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const path = ['on', 'sequence', 'of'];
  const withinMs = durationMs(form.within);
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
export function onlyKeyed(without: readonly CompiledMatcher[], expressions: FileExpressions, what: string): boolean {
  const perUser = without.find((matcher) => matcher.perUser);
  if (perUser !== undefined)
    expressions.wrong(perUser.path, '`per: user` is not possible in `without`', `everything in ${what} has the journey’s key`);
  return perUser === undefined;
}
