import { SESSION_STARTED } from '../core/program-index.ts';
import type { Pattern } from '../core/pattern-kinds.ts';
import type { FileExpressions } from './conditions.ts';
import { durationMs } from './duration.ts';
import { compileCount, compileSequence, onlyKeyed } from './event-patterns.ts';
import { compileAttribute, compileMilestone, compileStreak } from './fact-patterns.ts';
import type { JourneyFile, OnForm } from './files.ts';
import { compileItem } from './item-pattern.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { Loaded } from './load.ts';
import type { Matchers } from './matchers.ts';

const KINDS = [
  ...['event', 'count', 'absence', 'sequence', 'inactive', 'dormant', 'session_started', 'session_ended', 'milestone', 'streak'],
  ...['attribute', 'segment', 'date', 'anniversary', 'item'],
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
      const withinMs = durationMs(form.within);
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
      const forMs = durationMs(form.for);
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
      const forMs = durationMs(on.dormant!.for);
      if (forMs === 0) return fail(['on', 'dormant', 'for'], '`for` must be longer than nothing');
      if (keyed.key !== null) return fail(['key'], 'a dormant user has no property to be told apart by', 'leave `key` away');
      return { pattern: { kind: 'inactive', since: null, forMs }, eventType: null, waitMs: forMs };
    }
    case 'session_started': {
      if (keyed.key !== null) return fail(['key'], 'the start of a session has no property to be told apart by', 'leave `key` away');
      const where = expressions.condition(on.session_started?.where, { kind: 'started' }, ['on', 'session_started', 'where']);
      return { pattern: { kind: 'event', on: { type: SESSION_STARTED, where } }, eventType: null, waitMs: 0 };
    }
    case 'item':
      return compileItem(on.item!, world, expressions, matchers, keyed);
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
      const delayMs = form.delay === undefined ? 0 : durationMs(form.delay);
      return { pattern: { kind, where, delayMs }, eventType: null, waitMs: world.settings.sessionGapMs + delayMs };
    }
  }
}

const TRIGGER = { place: 'trigger', any: false } as const;
