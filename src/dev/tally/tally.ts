import type { Event } from '../../core/event.ts';
import type { Decision, SendCommand } from '../../core/output.ts';
import type { UserState } from '../../core/state.ts';
import { Deliveries, type DeviceOutcome } from './deliveries.ts';
import { People, personView, type Waiting } from './people.ts';
import { LatestMap, Recent } from './recent.ts';
import type { Changes, DecisionView, EventView, Figures, PersonHistory, PersonView, PushView } from './view.ts';

/** Caps of what is remembered for the page. The figures count everything. */
const PEOPLE = 500;
const PER_PERSON = 40;
const PER_CHANGE = 60;
const PUSHES = 500;

export type ReadEvent = Pick<Event, 'eventId' | 'userId' | 'type' | 'occurredAtMs' | 'properties'>;

interface Memory {
  person: PersonView;
  readonly events: Recent<EventView>;
  readonly decisions: Recent<DecisionView>;
  readonly pushes: Map<string, PushView>;
}

/**
 * What happened, counted from the topics: call it with each record that was committed, once. Knows no clock and does no I/O. Topics may be
 * read at different speeds; within one topic and user the order is the log's.
 */
export class Tally {
  readonly #people = new People();
  readonly #deliveries = new Deliveries((commandId, { state, reason }) => {
    const push = this.#pushes.get(commandId);
    if (push !== undefined) this.#push({ ...push, state, reason });
  });
  readonly #duplicates: () => number;
  readonly #memories = new LatestMap<string, Memory>(PEOPLE);
  readonly #pushes = new LatestMap<string, PushView>(PUSHES);
  #events = 0;
  #told = 0;
  #decisions = 0;
  #deadLetters = 0;
  readonly #rejected = new Map<string, number>();
  readonly #journeys = new Map<string, { sent: number; heldBack: number }>();

  readonly #changedPeople = new Set<string>();
  readonly #newEvents = new Recent<EventView>(PER_CHANGE);
  readonly #newDecisions = new Recent<DecisionView>(PER_CHANGE);
  readonly #changedPushes = new Map<string, PushView>();

  /** `duplicates` asks the local push services, which alone see the POSTs. */
  constructor(options: { readonly duplicates?: () => number } = {}) {
    this.#duplicates = options.duplicates ?? (() => 0);
  }

  /** A product event of the timeline. */
  event(event: ReadEvent): void {
    this.#events++;
    this.#show(event, 'person');
  }

  /** What Lull's own senders told the timeline: shown with the rest, but nothing that a shopper did. */
  feedback(event: ReadEvent): void {
    this.#show(event, 'sender');
  }

  /** What happened to an item that interests the user. */
  told(event: ReadEvent): void {
    this.#told++;
    this.#show(event, 'item');
  }

  #show(event: ReadEvent, of: EventView['of']): void {
    // A push address is a credential, and nothing to read either.
    const { value: _address, ...properties } = event.properties;
    const { eventId, userId, type, occurredAtMs: atMs } = event;
    const view = { eventId, userId, type, atMs, of, properties };
    this.#memory(event.userId).events.push(view);
    this.#newEvents.push(view);
  }

  /** A row of the processor's changelog. */
  user(userId: string, state: UserState | null): void {
    this.#people.row(userId, state);
    this.#memory(userId).person = personView(userId, state);
    this.#changedPeople.add(userId);
  }

  decision(decision: Decision): void {
    this.#decisions++;
    const sent = decision.outcome === 'sent';
    if (!sent) this.#rejected.set(decision.reason, (this.#rejected.get(decision.reason) ?? 0) + 1);
    const journey = this.#journeys.get(decision.journey) ?? { sent: 0, heldBack: 0 };
    journey[sent ? 'sent' : 'heldBack']++;
    this.#journeys.set(decision.journey, journey);
    const memory = this.#memory(decision.userId);
    const view: DecisionView = {
      id: `d${this.#decisions}`,
      userId: decision.userId,
      name: memory.person.name,
      journey: decision.journey,
      sent,
      reason: decision.reason,
      checks: decision.checks,
      commandId: decision.commandId,
      channel: decision.channel,
      dueAtMs: decision.dueAtMs,
      decidedAtMs: decision.decidedAtMs,
    };
    memory.decisions.push(view);
    this.#newDecisions.push(view);
  }

  command(command: SendCommand): void {
    this.#push({
      commandId: command.commandId,
      userId: command.userId,
      name: this.#memory(command.userId).person.name,
      journey: command.journey,
      title: command.content?.title ?? '',
      body: command.content?.body ?? '',
      image: command.content?.image ?? null,
      channel: command.channel,
      decidedAtMs: command.decidedAtMs,
      state: 'waiting',
      reason: null,
    });
    this.#deliveries.command(
      command.commandId,
      command.devices.map((device) => device.deviceId),
    );
  }

  outcome(outcome: DeviceOutcome): void {
    this.#deliveries.outcome(outcome);
  }

  deadLetter(): void {
    this.#deadLetters++;
  }

  get unfinishedCommands(): number {
    return this.#deliveries.unfinished;
  }

  waiting(horizonMs: number, gapMs: number): Waiting {
    return this.#people.waiting(horizonMs, gapMs);
  }

  figures(): Figures {
    return {
      events: this.#events,
      sessions: this.#people.sessions,
      openSessions: this.#people.openSessions,
      told: this.#told,
      decisions: this.#decisions,
      journeys: Object.fromEntries([...this.#journeys].map(([name, counts]) => [name, { ...counts }])),
      commands: this.#deliveries.commands,
      accepted: this.#deliveries.accepted,
      rejected: Object.fromEntries(this.#rejected),
      undelivered: this.#deliveries.undelivered,
      duplicates: this.#duplicates(),
      deadLetters: this.#deadLetters,
    };
  }

  /** What changed since the last call. One reader only: the page's server shares it among its clients. */
  takeChanges(): Changes {
    const people = [...this.#changedPeople].slice(0, PER_CHANGE);
    const pushes = [...this.#changedPushes.values()].slice(0, PER_CHANGE);
    // The rest is left for the next time: a person whose last change was dropped would look busy for ever.
    for (const userId of people) this.#changedPeople.delete(userId);
    for (const push of pushes) this.#changedPushes.delete(push.commandId);
    return {
      figures: this.figures(),
      people: people.flatMap((userId) => this.#memories.get(userId)?.person ?? []),
      events: this.#newEvents.take(),
      decisions: this.#newDecisions.take(),
      pushes,
    };
  }

  /** Enough for a page that has just been opened: those who did something last, and what was decided last. */
  snapshot(): Changes {
    const memories = [...this.#memories.values()].slice(-PER_CHANGE);
    const latest = <T>(items: readonly T[], timeOf: (item: T) => number): T[] =>
      items.toSorted((a, b) => timeOf(a) - timeOf(b)).slice(-PER_CHANGE);
    return {
      figures: this.figures(),
      people: memories.map((memory) => memory.person),
      events: latest(
        memories.flatMap((memory) => memory.events.latest()),
        (event) => event.atMs,
      ),
      decisions: latest(
        memories.flatMap((memory) => memory.decisions.latest()),
        (decision) => decision.decidedAtMs,
      ),
      pushes: latest([...this.#pushes.values()], (push) => push.decidedAtMs),
    };
  }

  history(userId: string): PersonHistory | undefined {
    const memory = this.#memories.get(userId);
    if (memory === undefined) return undefined;
    return {
      person: memory.person,
      events: memory.events.latest(),
      decisions: memory.decisions.latest(),
      pushes: [...memory.pushes.values()],
    };
  }

  #memory(userId: string): Memory {
    const memory = this.#memories.get(userId) ?? {
      person: personView(userId, null),
      events: new Recent<EventView>(PER_PERSON),
      decisions: new Recent<DecisionView>(PER_PERSON),
      pushes: new Map<string, PushView>(),
    };
    // Setting it again makes it the one that was touched last.
    this.#memories.set(userId, memory);
    return memory;
  }

  #push(push: PushView): void {
    this.#pushes.set(push.commandId, push);
    this.#changedPushes.set(push.commandId, push);
    const { pushes } = this.#memory(push.userId);
    pushes.set(push.commandId, push);
    if (pushes.size <= PER_PERSON) return;
    const [oldest] = pushes.keys();
    pushes.delete(oldest!);
  }
}
