import type { SendStep } from '../core/journey.ts';
import type { Cap } from '../core/program.ts';
import { formatDuration } from './duration.ts';
import type { JourneyFile, SendForm, TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import type { Settings } from './settings.ts';
import { allSteps, channelsOf } from './step-forms.ts';

/**
 * Caps that cannot do what they say, as far as topology.yaml and the sends of all journeys tell. What one journey does to a cap is in `capped-steps.ts`.
 *
 * A cap counts what the ledger remembers of a user, so what pushes a message out of the ledger makes room under the cap. What is capped can be added up and is said here; messages of a
 * class without caps take places too, without a limit that could be held against them: of them the documentation speaks, not a warning that most topologies would get for nothing.
 */

/** Of topology.yaml alone: said also where a journey is broken. */
export function ledgerIssues({ source, value }: Loaded<TopologyFile>, { caps, limits }: Settings): Issue[] {
  const issues = caps
    .filter(({ max }) => max > limits.ledger)
    .map(({ name, max }) =>
      source.issue(
        ['caps', name, 'max'],
        `\`${name}\` lets ${max} through, and ${limits.ledger} messages of a user are remembered: it would never hold`,
        `a lower \`max\`, or \`ledger: ${max}\` under \`limits\``,
      ),
    );
  if (issues.length > 0) return issues;
  const together = sumOfDisjoint(caps);
  if (together <= limits.ledger) return [];
  const hint = `lower them, or set \`ledger: ${together}\` under \`limits\``;
  const message = `the caps together let ${together} through, and ${limits.ledger} messages of a user are remembered: some could be forgotten before their cap's window is over`;
  const place = value.limits?.ledger === undefined ? source.atKey(['caps']) : source.at(['limits', 'ledger']);
  return [{ severity: 'warning', file: source.file, ...place, message, hint }];
}

/**
 * How many messages caps that are each about another category (or each about another channel) let through within a moment. 0 where they overlap: then one of them holds the others
 * back, and what is possible at most is not simply a sum.
 */
function sumOfDisjoint(caps: readonly Cap[]): number {
  for (const [by, other] of [
    ['category', 'channel'],
    ['channel', 'category'],
  ] as const) {
    if (!caps.every((cap) => cap[by] !== null && cap[other] === null)) continue;
    const least = new Map<string, number>();
    for (const cap of caps) least.set(cap[by]!, Math.min(cap.max, least.get(cap[by]!) ?? Infinity));
    return [...least.values()].reduce((sum, max) => sum + max, 0);
  }
  return 0;
}

/** Against all journeys, which must be right. */
export function capIssues(topology: Loaded<TopologyFile>, journeys: readonly Loaded<JourneyFile>[], settings: Settings): Issue[] {
  const { source } = topology;
  const sends = journeys
    .filter(({ value }) => value.mode !== 'draft')
    .flatMap(({ value }) => allSteps(value.steps))
    .filter((form): form is SendForm => 'send' in form)
    .filter((form) => settings.classes.get(form.class)?.capped === true);
  return settings.caps.flatMap((cap, i) => {
    const at = ['caps', cap.name];
    if (!sends.some((form) => mayCount({ category: form.category ?? null, channels: channelsOf(form) }, cap)))
      return [source.issueAtKey(at, `no message counts towards the cap \`${cap.name}\``, `no journey ${sendingOf(cap)}`, 'warning')];
    // That it lets nothing through is said already.
    const stricter = cap.max === 0 ? undefined : settings.caps.find((other, j) => i !== j && isMoot(cap, other, i < j));
    if (stricter === undefined) return [];
    const message = `the cap \`${cap.name}\` never stops anything: \`${stricter.name}\` has stopped it before (${formOf(stricter)})`;
    return [source.issueAtKey(at, message, 'leave it away, or let more through by the other', 'warning')];
  });
}

/** Of a capped class, on whichever of its channels it goes out. */
export function mayCount(send: Pick<SendStep, 'category' | 'channels'>, { category, channel }: Cap): boolean {
  return (category === null || send.category === category) && (channel === null || send.channels.includes(channel));
}

/** Whenever `cap` is full, so is `other`. Of two that are the same, the second is one too many. */
function isMoot(cap: Cap, other: Cap, isFirst: boolean): boolean {
  return holdsWhere(cap, other) && !(isFirst && holdsWhere(other, cap));
}

function holdsWhere(cap: Cap, other: Cap): boolean {
  return (
    (other.category === null || other.category === cap.category) &&
    (other.channel === null || other.channel === cap.channel) &&
    other.windowMs >= cap.windowMs &&
    other.max <= cap.max
  );
}

function sendingOf({ category, channel }: Cap): string {
  const of = category === null ? '' : ` of category \`${category}\``;
  const by = channel === null ? '' : ` by \`${channel}\``;
  return `that takes part sends a message${of}${by} whose class is \`capped\``;
}

function formOf({ max, windowMs, category, channel }: Cap): string {
  const which = [category === null ? '' : ` of ${category}`, channel === null ? '' : ` by ${channel}`].join('');
  return `${max}${which} in ${formatDuration(windowMs)}`;
}
