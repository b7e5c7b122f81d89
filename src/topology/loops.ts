import type { Scalar } from '../core/event.ts';
import type { OnForm } from './files.ts';
import { compareText, type Issue } from './issue.ts';
import type { Segment } from './segments.ts';
import type { Path, Source } from './source.ts';

/** An attribute that a step sets. */
export interface Update {
  readonly attribute: string;
  /** Where it is always the same value; undefined where that shows only at the step. */
  readonly constant: Scalar | undefined;
  readonly path: Path;
}

/** A journey, what it notices, and what it sets. */
export interface UpdatingJourney {
  readonly name: string;
  readonly source: Source;
  readonly on: OnForm;
  readonly updates: readonly Update[];
}

interface Link {
  readonly from: UpdatingJourney;
  readonly update: Update;
  readonly to: UpdatingJourney;
}

/**
 * A journey that sets an attribute may start another, and that one the first again: without an end, within one event, or a day apart for as long as there is a user. What can
 * be told from the values that are set, and those that are waited for, is: `stage` from `trial` to `nudged` starts nothing that waits for `trial`.
 */
export function loopIssues(journeys: readonly UpdatingJourney[], segments: ReadonlyMap<string, Segment>): Issue[] {
  const sorted = journeys.toSorted((a, b) => compareText(a.name, b.name));
  const updates = sorted.flatMap((journey) => journey.updates);
  const links = sorted.flatMap((from) =>
    from.updates.flatMap((update) =>
      sorted.filter(({ on }) => mayStart(update, on, updates, segments)).map((to): Link => ({ from, update, to })),
    ),
  );
  const told = new Set<UpdatingJourney>();
  const issues: Issue[] = [];
  for (const journey of sorted) {
    const loop = told.has(journey) ? null : wayBack(journey, links);
    if (loop === null) continue;
    for (const { from } of loop) told.add(from);
    const way = loop.map(
      ({ update, to }, i) => `${i === 0 ? `\`${journey.name}\`` : 'which'} sets \`${update.attribute}\`, which starts \`${to.name}\``,
    );
    const message = `journeys that could loop: ${way.join(', ')}`;
    issues.push(
      journey.source.issue(
        loop[0]!.update.path,
        message,
        'say with `to` which value starts them, or set an attribute that starts none of them',
      ),
    );
  }
  return issues;
}

/** The shortest way from a journey to itself. */
function wayBack(journey: UpdatingJourney, links: readonly Link[]): readonly Link[] | null {
  const reached = new Set<UpdatingJourney>();
  let ways: (readonly Link[])[] = links.filter(({ from }) => from === journey).map((link) => [link]);
  while (ways.length > 0) {
    const back = ways.find((way) => way.at(-1)!.to === journey);
    if (back !== undefined) return back;
    ways = ways.flatMap((way) => {
      const { to } = way.at(-1)!;
      if (reached.has(to)) return [];
      reached.add(to);
      return links.filter(({ from }) => from === to).map((link) => [...way, link]);
    });
  }
  return null;
}

function mayStart(
  { attribute, constant }: Update,
  on: OnForm,
  updates: readonly Update[],
  segments: ReadonlyMap<string, Segment>,
): boolean {
  if (on.attribute?.of === attribute) {
    const { from, to } = on.attribute;
    // Somebody has to set it back before it can change from there again.
    const comesBack = from === undefined || updates.some((other) => other.attribute === attribute && (other.constant ?? from) === from);
    return comesBack && (constant === undefined || ((to === undefined || to === constant) && from !== constant));
  }
  // A date that is always the same comes once.
  if (on.date?.of === attribute || on.anniversary?.of === attribute) return constant === undefined;
  const segment = segments.get(on.segment?.entered ?? on.segment?.left ?? '');
  if (segment === undefined || (segment.reads !== null && !segment.reads.has(attribute))) return false;
  if (constant === undefined || segment.reads?.size !== 1) return true;
  return segment.inside(constant === null ? {} : { [attribute]: constant }) === (on.segment?.entered !== undefined);
}
