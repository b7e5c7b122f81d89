import type { ItemPattern } from '../core/pattern-kinds.ts';
import type { FileExpressions } from './conditions.ts';
import { durationMs } from './duration.ts';
import { onlyKeyed } from './event-patterns.ts';
import type { OnForm } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { Matchers } from './matchers.ts';

/** A change of an item, for those who have shown interest in it. null where it is wrong: the issue is kept. */
export function compileItem(
  form: NonNullable<OnForm['item']>,
  world: JourneyWorld,
  expressions: FileExpressions,
  matchers: Matchers,
  keyed: KeyCheck,
): PatternUse | null {
  const path = ['on', 'item'];
  const inside = [...path, 'interest'];
  const { interest } = form;
  const matcher = form.where === undefined ? form.change : { event: form.change, where: form.where };
  const change = matchers.one(matcher, form.where === undefined ? [...path, 'change'] : path, { place: 'trigger', any: false });
  const of = matchers.list(interest.of, [...inside, 'of'], { place: 'event', any: false });
  const without = matchers.list(interest.without, [...inside, 'without'], { place: 'event', any: false });
  const withinMs = durationMs(interest.within);
  if (withinMs === 0) expressions.wrong([...inside, 'within'], '`within` must be longer than nothing');
  if (change === null || withinMs === 0 || of.length === 0) return null;
  const { item } = world.catalogue.get(form.change)!;
  if (item === undefined) {
    expressions.wrong(
      [...path, 'change'],
      `\`${form.change}\` is no change of an item`,
      'say in events.yaml which of its properties names the item: `item: productId`',
    );
    return null;
  }
  if (keyed.key !== item) {
    const message =
      keyed.key === null
        ? 'what happens to an item is told apart by the item'
        : `\`${form.change}\` is about \`${item}\`, not \`${keyed.key}\``;
    expressions.wrong(keyed.key === null ? path : ['key'], message, `write \`key: ${item}\``);
    return null;
  }
  if (!onlyKeyed([...of, ...without], expressions, 'interest') || !keyed.check([...of, ...without])) return null;
  const times = interest.times ?? 1;
  // A change may reach us as late as any event, and asks for what was then.
  const keepMs = withinMs + world.settings.maxEventAgeMs;
  const pattern: ItemPattern = {
    kind: 'item',
    on: change.matcher,
    trackerId: world.trackers.add(of, item, keepMs, { restrains: false, cap: times }),
    withoutId: without.length === 0 ? null : world.trackers.add(without, item, keepMs),
    times,
    withinMs,
  };
  return { pattern, eventType: form.change, waitMs: 0 };
}
