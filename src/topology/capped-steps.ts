import type { Journey, JourneyStep, SendStep } from '../core/journey.ts';
import type { Cap } from '../core/program.ts';
import { standsForMs } from '../core/wait-step.ts';
import { mayCount } from './caps.ts';
import { formatDuration } from './duration.ts';
import type { JourneyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import type { Settings } from './settings.ts';
import { placedSteps } from './step-forms.ts';
import { nextsOf } from './steps.ts';

/**
 * Messages that a cap always keeps back, because the run that comes to them has used it up itself: three reminders within a day under a cap of two a day.
 *
 * It is said of a send only where every way to it, from where a run can begin, comes past `max` others that
 * - count towards the cap for certain: of a capped class, of its category, and on no channel but the cap's, where it has one;
 * - are less than its window ago, at the longest: a wait takes `for` and, with `at`, the longest day. One that may end early takes that long all the same, since whoever
 *   answers late comes late. (How late a worker is after an outage is left out.)
 * - go out wherever this one could: what asks for another consent, is on fewer channels or under more caps may be left out where this one is not, and this one be there to stand in;
 * - are not kept back themselves: what is never sent takes no place. Nor does what may be left out, or go elsewhere, while somebody is in the app.
 * A run that an edit has moved begins at a wait, with nothing behind it that is known. Everything else, other runs, other journeys and what people say meanwhile, makes a cap fuller or is
 * chance, so that a message is possible: then nothing is said. The same where there are too many ways to look at all of them.
 */
export function cappedSteps({ source, value }: Loaded<JourneyFile>, journey: Journey, settings: Settings): Issue[] {
  // Of a moment's messages one goes out: whichever is left out of two, the other may come.
  if (journey.priority !== null) return [];
  const places = placedSteps(value.steps);
  const walk = new Walk(journey, settings);
  return journey.steps.flatMap((step, at) => {
    if (step.kind !== 'send') return [];
    const full = walk.fullBefore(step, at);
    const place = places.find(([, form]) => 'send' in form && form.send === step.name);
    if (full === null || place === undefined) return [];
    const { cap, before } = full;
    const others = before.map((name) => `\`${name}\``).join(', ');
    const message = `\`${step.name}\` is never sent behind ${others}: the cap \`${cap.name}\` lets ${cap.max} through in ${formatDuration(cap.windowMs)}`;
    const hint = 'wait longer before it, let the cap take more, or leave it away';
    return [source.issueAtKey([...place[0], 'send'], message, hint, 'warning')];
  });
}

/** Of ways to one step: beyond that it is left. */
const MAX_VISITS = 20_000;

interface Full {
  readonly cap: Cap;
  /** Names of the sends that fill it, on the way with the fewest; in order. */
  readonly before: readonly string[];
}

class Walk {
  readonly #steps: readonly JourneyStep[];
  readonly #settings: Settings;
  /** Which steps lead to each. */
  readonly #from: readonly (readonly number[])[];
  readonly #begins: ReadonlySet<number>;
  readonly #dead = new Set<number>();

  constructor({ steps, moved }: Journey, settings: Settings) {
    this.#steps = steps;
    this.#settings = settings;
    const from = steps.map((): number[] => []);
    steps.forEach((step, at) => {
      for (const next of new Set(nextsOf(step))) if (next !== null) from[next]!.push(at);
    });
    this.#from = from;
    const targets = new Set(moved.values());
    this.#begins = new Set([0, ...steps.flatMap(({ kind, name }, at) => (kind === 'wait' && targets.has(name) ? [at] : []))]);
  }

  /** Asked in the order of the steps: what is found dead counts for none behind it. */
  fullBefore(send: SendStep, at: number): Full | null {
    for (const cap of this.#settings.caps) {
      if (cap.max === 0 || !this.#counts(send, cap)) continue;
      const before = this.#fewest(send, at, cap);
      if (before === null || before.length < cap.max) continue;
      this.#dead.add(at);
      return { cap, before };
    }
    return null;
  }

  /** Sends that are in the cap's window when a run comes to `to`, on the way with the fewest; null where that is too much to look at. */
  #fewest(send: SendStep, to: number, cap: Cap): readonly string[] | null {
    let visits = 0;
    const seen = new Map<string, readonly string[] | null>();
    const look = (at: number, agoMs: number): readonly string[] | null => {
      // Half-open, as the gate has it: what is a whole window ago has aged out.
      if (agoMs >= cap.windowMs) return [];
      const key = `${at}/${agoMs}`;
      const known = seen.get(key);
      if (known !== undefined) return known;
      if (++visits > MAX_VISITS) return null;
      let fewest: readonly string[] | null = this.#begins.has(at) ? [] : null;
      for (const from of this.#from[at]!) {
        if (fewest?.length === 0) break;
        const step = this.#steps[from]!;
        const behind = look(from, agoMs + standsForMs(step));
        if (behind === null) return null;
        const isOne = step.kind === 'send' && !this.#dead.has(from) && this.#counts(step, cap) && this.#goesWhere(step, send);
        const all = isOne ? [...behind, step.name] : behind;
        if (fewest === null || all.length < fewest.length) fewest = all;
      }
      seen.set(key, fewest);
      return fewest;
    };
    return look(to, standsForMs(send));
  }

  #counts(send: SendStep, cap: Cap): boolean {
    const { class: name, category } = send;
    return (
      this.#settings.classes.get(name)?.capped === true &&
      (cap.category === null || cap.category === category) &&
      (cap.channel === null || possibleChannels(send).every((channel) => channel === cap.channel))
    );
  }

  /** Whoever can get `later` can get `earlier`. */
  #goesWhere(earlier: SendStep, later: SendStep): boolean {
    const asks = ({ class: name, category }: SendStep): string | null =>
      this.#settings.classes.get(name)?.needsConsent === false ? null : category;
    const consent = asks(earlier);
    return (
      earlier.whileActive === null &&
      (consent === null || consent === asks(later)) &&
      possibleChannels(later).every((channel) => earlier.channels.includes(channel)) &&
      this.#settings.caps.every((cap) => !mayCount({ ...earlier, channels: possibleChannels(earlier) }, cap) || this.#counts(later, cap))
    );
  }
}

/** While somebody is in the app it may be others. */
function possibleChannels({ channels, whileActive }: SendStep): readonly string[] {
  return whileActive?.kind === 'instead' ? [...channels, ...whileActive.channels] : channels;
}
