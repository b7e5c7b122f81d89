import { createRandom } from '../../src/dev/shop/random.ts';
import { EVENT_TYPES } from './journeys-topology.ts';
import { w1Events, type BenchEvent } from './w1-events.ts';

export interface JourneyEventsOptions {
  readonly seed: string;
  readonly users: number;
  readonly events: number;
  /** Events are of the types and attributes of so many groups of ten journeys. */
  readonly groups: number;
}

const DAY_MS = 86_400_000;

/** W1's people, sessions and times, with the types and attributes of the generated journeys, each as often as the others. */
export function* journeyEvents({ seed, users, events, groups }: JourneyEventsOptions): Generator<BenchEvent> {
  const random = createRandom(`${seed}-journeys`);
  for (const event of w1Events({ seed, users, events })) {
    const group = random.int(0, groups - 1);
    const kind = random.int(0, EVENT_TYPES.length + 1);
    const type = EVENT_TYPES[kind];
    if (type !== undefined)
      yield { ...event, type: `${type}_${group}`, properties: { item: `item-${random.int(1, 5)}`, n: random.int(0, 4) } };
    else if (kind === EVENT_TYPES.length)
      yield { ...event, type: '$profile', properties: { [`tier_${group}`]: random.pick(['free', 'plus', 'pro']) } };
    else {
      const renewsMs = event.occurredAtMs + random.int(4, 60) * DAY_MS;
      yield { ...event, type: '$profile', properties: { [`renews_${group}`]: renewsMs } };
    }
  }
}
