import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Topologies of ten journeys and of many times ten, as folders of YAML. Each ten have event types and attributes of their own, and every type, and each of the two attributes,
 * concerns exactly two of them: it starts, counts, ends, cancels or is waited for.
 *
 *   viewed   first_look, tenth        paid     keen, idle         used   regular, promoted
 *   carted   first_look, forgotten    left     idle, tenth        tier   promoted, changed
 *   bought   forgotten, onwards       rated    onwards, keen      renews promoted, renewal
 */
export const EVENT_TYPES = ['viewed', 'carted', 'bought', 'rated', 'paid', 'left', 'used'] as const;

/** What concerns every event, or every session, of whomever: as many journeys as are asked for. */
export interface Extras {
  readonly dormant?: number;
  readonly inactive?: number;
  readonly sessionEnded?: number;
}

export const JOURNEYS_OF_A_GROUP = 10;

/** A folder with `groups` times ten journeys and the extras. Removing it is the caller's. */
export function writeTopology(groups: number, extras: Extras = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'lull-journeys-'));
  mkdirSync(join(folder, 'journeys'));
  const all = Array.from({ length: groups }, (_, group) => group);
  writeFileSync(join(folder, 'topology.yaml'), topologyText(all));
  writeFileSync(
    join(folder, 'events.yaml'),
    all.flatMap((group) => EVENT_TYPES.map((type) => `${type}_${group}: ${PROPERTIES}\n`)).join(''),
  );
  const journeys = [...all.flatMap(journeysOf), ...extraJourneys(extras)];
  for (const [name, text] of journeys) writeFileSync(join(folder, 'journeys', `${name}.yaml`), `name: ${name}\n${text}`);
  return folder;
}

const PROPERTIES = '{ properties: { item: string, n: long } }';

function topologyText(groups: readonly number[]): string {
  return `
session: { gap: 30m }
max_event_age: 7d
time_zone: Europe/Berlin
profile:
${groups.map((group) => `  tier_${group}: string?\n  renews_${group}: time?\n`).join('')}
segments:
${groups.map((group) => `  wide_${group}: { when: 'coalesce(user.tier_${group}, "") == "pro" && has(user.renews_${group})' }\n`).join('')}
channels: { bench: { device: false } }
classes:
  measured: { consent: not_needed, capped: false, promise: at_least_once }
  polite: { consent: not_needed, capped: true, promise: at_most_once }
caps: { daily: { max: 3, per: 24h } }
`;
}

function send(name: string, data = ''): string {
  return `  - { send: ${name}, channels: [bench], class: polite, ttl: 1d${data} }\n`;
}

function journeysOf(group: number): readonly (readonly [name: string, text: string])[] {
  const [viewed, carted, bought, rated, paid, left, used] = EVENT_TYPES.map((type) => `${type}_${group}`);
  const [tier, renews] = [`tier_${group}`, `renews_${group}`];
  const note = send('note');
  const journeys: Readonly<Record<string, string>> = {
    first_look: `on: { event: ${viewed}, where: event.n >= 2 }\ngoal: ${carted}\nexpires: 6h\nsteps:\n  - { wait: a_while, for: 20m }\n${send('note', ', data: { item: trigger.item }')}`,
    forgotten: `on: { absence: { after: ${carted}, without: [${bought}], within: 30m } }\nkey: item\nsteps:\n${send('note', ', data: { item: trigger.item }')}`,
    onwards: `on: { sequence: { of: [${bought}, ${rated}], within: 2h } }\nreentry: every 1d\nsteps:\n${note}  - { wait: hour, for: 1h }\n${send('more')}`,
    keen: `on: { count: { of: { event: ${rated}, where: event.n >= 1 }, times: 3, within: 7d, without: ${paid} } }\nreentry: every 7d\nsteps:\n${note}`,
    idle: `on: { inactive: { after: ${paid}, for: 10m } }\ncancel_on: ${left}\nexpires: 2h\nsteps:\n${note}`,
    tenth: `on: { milestone: { of: ${left}, at: [1, 10, 100] } }\nsteps:\n  - { wait: looked, for: 30m, until: ${viewed}, then: [{ exit: looks }] }\n${note}`,
    regular: `on: { streak: { of: ${used}, days: [3, 7] } }\nsteps:\n${note}`,
    promoted: `on: { segment: { entered: wide_${group} } }\nsteps:\n  - { wait: uses, for: 1h, until: ${used}, then: [{ exit: fine }] }\n${note}`,
    changed: `on: { attribute: { of: ${tier}, to: pro } }\nsteps:\n${send('note', `, data: { tier: 'coalesce(trigger.to, "")' }`)}`,
    renewal: `on: { date: { of: ${renews}, before: 3d, at: "09:00" } }\naudience: coalesce(user.${tier}, "") != "pro"\nsteps:\n${note}`,
  };
  return Object.entries(journeys).map(([name, text]) => [`${name}_${group}`, text] as const);
}

function extraJourneys({ dormant = 0, inactive = 0, sessionEnded = 0 }: Extras): readonly (readonly [name: string, text: string])[] {
  const many = (count: number, name: string, on: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => [`${name}_${i}`, `on: ${on(i)}\nsteps:\n${send('note')}`] as const);
  return [
    ...many(dormant, 'dormant', (i) => `{ dormant: { for: ${7 + i}d } }`),
    ...many(inactive, 'silent', (i) => `{ inactive: { for: ${10 + i}m } }`),
    // Of most sessions nothing comes, as where somebody asks for something in particular.
    ...many(
      sessionEnded,
      'ended',
      (i) => `{ session_ended: { where: session.counts.viewed_0 >= ${3 + (i % 5)} && session.duration > duration("${i}m") } }`,
    ),
  ];
}
