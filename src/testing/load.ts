import type { Properties } from '../core/event.ts';
import { ANSWERS, checkReserved, isReserved, ReservedEventError, type Answer } from '../core/reserved.ts';
import type { Catalogue } from '../topology/catalogue.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import { durationMs, parseDuration } from '../topology/duration.ts';
import type { Issue } from '../topology/issue.ts';
import { readAll } from '../topology/load.ts';
import { shapeIssues } from '../topology/shape.ts';
import type { Path, Source } from '../topology/source.ts';
import { didYouMean } from '../topology/suggest.ts';
import { readExpected } from './expectations.ts';
import { factMistakes } from './check-facts.ts';
import { factEvents } from './facts.ts';
import { fits } from './fits.ts';
import { EditedTopology } from './edited.ts';
import type { EntryForm, FactsForm, Scenario, ScenarioForm, ScenariosFile, TimelineStep } from './scenario.ts';
import type { AppendedEvent } from './simulation.ts';

/** Fields of an entry beside an event, and beside an event or an item's change. */
const OF_EVENTS = ['sent', 'imported'] as const;
const OF_BOTH = ['with', 'occurred', 'id'] as const;

/** A Monday morning, far from any change of clocks. */
const START = '2025-06-02T09:00:00Z';
const USER = 'user-1';

/** All scenarios of a topology's `tests/`, held against its catalogue and journeys. */
export function loadScenarios(folder: string, topology: CompiledTopology): { scenarios: Scenario[]; issues: Issue[] } {
  const issues: Issue[] = [];
  const scenarios: Scenario[] = [];
  for (const source of readAll(folder, 'tests', issues)) {
    const value: unknown = source.toJS() ?? {};
    const wrong = shapeIssues('scenarios', source, value);
    issues.push(...wrong);
    if (wrong.length > 0) continue;
    const file = value as ScenariosFile;
    const names = new Map<string, number>();
    file.scenarios.forEach((form, i) => {
      const reader = new ScenarioReader(source, file, form, ['scenarios', i], new EditedTopology(folder, topology));
      if (names.has(form.name))
        reader.issue([...reader.path, 'name'], 'there is another scenario of this name in the file', 'give one of them another name');
      names.set(form.name, i);
      scenarios.push(reader.read());
      issues.push(...reader.issues);
    });
  }
  // Of an edit that several scenarios make.
  return { scenarios, issues: [...new Map(issues.map((issue) => [JSON.stringify(issue), issue])).values()] };
}

class ScenarioReader {
  readonly issues: Issue[] = [];
  readonly path: Path;
  readonly #source: Source;
  readonly #file: ScenariosFile;
  readonly #form: ScenarioForm;
  /** As it is at the entry that is read. */
  readonly #edited: EditedTopology;
  readonly #startMs: number;
  readonly #userId: string;
  readonly #ids = new Map<string, number>();

  constructor(source: Source, file: ScenariosFile, form: ScenarioForm, path: Path, edited: EditedTopology) {
    this.path = path;
    this.#source = source;
    this.#file = file;
    this.#form = form;
    this.#edited = edited;
    this.#startMs = Date.parse(form.start ?? file.defaults?.start ?? START);
    this.#userId = form.user ?? file.defaults?.user ?? USER;
  }

  get #topology(): CompiledTopology {
    return this.#edited.topology;
  }

  issue(path: Path, message: string, hint: string | null = null): void {
    this.issues.push(this.#source.issue(path, message, hint));
  }

  read(): Scenario {
    const form = this.#form;
    const given: FactsForm = { ...this.#file.defaults?.given, ...form.given };
    const isOwn = (fact: Path[number] | undefined): boolean => form.given?.[fact as keyof FactsForm] !== undefined;
    const placeOf = (path: Path): Path => [...(isOwn(path[0]) || path.length === 0 ? this.path : ['defaults']), 'given', ...path];
    const steps: TimelineStep[] = this.#facts(given, this.#startMs, placeOf);
    let lastMs = this.#startMs;
    form.timeline.forEach((entry, i) => {
      const path = [...this.path, 'timeline', i];
      const atMs = this.#time(entry.at);
      if (atMs < lastMs)
        this.issue(
          [...path, 'at'],
          `\`${entry.at}\` is before the entry above`,
          'write the timeline in the order of the log; `occurred` is for what happened earlier',
        );
      lastMs = Math.max(lastMs, atMs);
      steps.push(...this.#entry(i, atMs, path));
    });
    const expected = readExpected(this.#source, form, this.path, this.#edited, this.#topology.program.channels, (text) => this.#time(text));
    this.issues.push(...expected.issues);
    return {
      name: form.name,
      features: form.features ?? [],
      file: this.#source.file,
      place: this.#source.at([...this.path, 'name']),
      userId: this.#userId,
      startMs: this.#startMs,
      steps,
      untilMs: form.until === undefined ? null : this.#time(form.until),
      expected: expected.expected,
      never: expected.never,
    };
  }

  #entry(i: number, atMs: number, path: Path): TimelineStep[] {
    const entry = this.#form.timeline[i]!;
    const kinds = (['event', 'item', 'profile', 'devices', 'consent', 'tick', 'down_for', 'waiting', 'edit', ...ANSWERS] as const).filter(
      (kind) => entry[kind] !== undefined,
    );
    const kind = kinds[0];
    if (kind === undefined || kinds.length > 1) {
      const what = kind === undefined ? 'nothing happens here' : `several things happen here: ${kinds.join(', ')}`;
      this.issue(
        path,
        what,
        `one of event, item, profile, devices, consent, ${ANSWERS.join(', ')}, tick, down_for, waiting, edit; each has its own entry`,
      );
      return [];
    }
    const foreign = kind === 'event' ? [] : kind === 'item' ? OF_EVENTS : [...OF_EVENTS, ...OF_BOTH];
    for (const only of foreign) if (entry[only] !== undefined) this.issue([...path, only], `\`${only}\` belongs to an event`);
    switch (kind) {
      case 'event':
        return this.#event(i, atMs, path);
      case 'item':
        return this.#change(i, atMs, path);
      case 'delivered':
      case 'opened':
      case 'clicked':
      case 'dismissed':
        return this.#answer(kind, entry[kind]!, entry.journey, atMs, path);
      case 'tick':
        return [{ kind, atMs }];
      case 'edit':
        return this.#edit(entry.edit!, atMs, path);
      case 'down_for':
        return [{ kind: 'down', atMs, untilMs: atMs + durationMs(entry.down_for!) }];
      case 'waiting': {
        const waiting = entry.waiting!.map((form, j) => {
          if (!this.#topology.program.journeys.some((journey) => journey.name === form.journey))
            this.issue([...path, 'waiting', j, 'journey'], `there is no journey \`${form.journey}\``, this.#journeyHint(form.journey));
          const waits = this.#edited.journeys.find(({ name }) => name === form.journey)?.steps.map(({ name }) => name) ?? [];
          if (form.step !== undefined && waits.length > 0 && !waits.includes(form.step))
            this.issue(
              [...path, 'waiting', j, 'step'],
              `\`${form.journey}\` has no step \`${form.step}\``,
              didYouMean(form.step, waits, 'steps'),
            );
          return {
            journey: form.journey,
            step: form.step ?? null,
            key: form.key ?? null,
            untilMs: form.until === undefined ? null : this.#time(form.until),
          };
        });
        return [{ kind, atMs, expected: waiting, place: this.#source.at(path) }];
      }
      default:
        return this.#facts(entry, atMs, (inner) => [...path, ...inner]);
    }
  }

  #edit(form: NonNullable<EntryForm['edit']>, atMs: number, path: Path): TimelineStep[] {
    const at = [...path, 'edit'];
    const { journeys, remove } = 'length' in form ? { journeys: form, remove: undefined } : form;
    remove?.forEach((name, i) => {
      if (!this.#edited.has(name)) this.issue([...at, 'remove', i], `there is no journey \`${name}\``, this.#journeyHint(name));
    });
    const { program, issues } = this.#edited.edit(journeys ?? [], remove ?? []);
    this.issues.push(...issues);
    if (program !== null) return [{ kind: 'edit', atMs, program }];
    this.issue(at, 'the edited topology is not usable', 'what is wrong with it is said with its file');
    return [];
  }

  #event(i: number, atMs: number, path: Path): TimelineStep[] {
    const entry = this.#form.timeline[i]!;
    const type = entry.event!;
    const event = this.#happening(entry, type, atMs);
    if (isReserved(type)) this.#checkReserved(event, [...path, 'event']);
    else this.#checkProperties(type, entry, [...path, 'event'], path);
    if (this.#topology.catalogue.get(type)?.item !== undefined)
      this.issue([...path, 'event'], `\`${type}\` is a change of an item`, `write \`item: ${type}\`: it reaches those who are interested`);
    return [{ kind: 'append', atMs, event, place: this.#source.at(path) }];
  }

  #change(i: number, atMs: number, path: Path): TimelineStep[] {
    const entry = this.#form.timeline[i]!;
    const type = entry.item!;
    const event = this.#happening(entry, type, atMs);
    this.#checkProperties(type, entry, [...path, 'item'], path);
    const known = this.#topology.catalogue.get(type);
    const itemId = known?.item === undefined ? null : event.properties[known.item];
    if (known !== undefined && known.item === undefined)
      this.issue(
        [...path, 'item'],
        `\`${type}\` is no change of an item`,
        `write \`event: ${type}\`, or give it an \`item\` in events.yaml`,
      );
    if (typeof itemId !== 'string') return [];
    return [{ kind: 'change', atMs, itemId, event, place: this.#source.at(path) }];
  }

  #happening(entry: EntryForm, type: string, atMs: number): AppendedEvent {
    return {
      eventId: entry.id ?? this.#nextId(type),
      userId: this.#userId,
      type,
      occurredAtMs: entry.occurred === undefined ? atMs : this.#time(entry.occurred),
      sentAtMs: entry.sent === undefined ? null : this.#time(entry.sent),
      properties: withoutNulls(this.#properties(type, entry)),
      imported: entry.imported ?? false,
    };
  }

  #properties(type: string, entry: EntryForm): Properties {
    const given = { ...this.#file.defaults?.events?.[type], ...entry.with };
    return this.#times(given, this.#topology.catalogue.get(type)?.properties);
  }

  /** What the user does with the message that this step sent last. */
  #answer(verb: Answer, step: string, journey: string | undefined, atMs: number, path: Path): TimelineStep[] {
    const senders = this.#topology.program.journeys.filter(
      ({ name, steps }) =>
        (journey === undefined || name === journey) && steps.some(({ kind, name: own }) => kind === 'send' && own === step),
    );
    const [sender] = senders;
    if (sender === undefined || senders.length > 1) {
      const names = senders.map(({ name }) => name);
      if (sender === undefined) this.issue([...path, verb], `no journey sends \`${step}\``);
      else this.issue([...path, verb], `several journeys send \`${step}\`: ${names.join(', ')}`, 'say which one beside it: `journey: ...`');
      return [];
    }
    return [
      {
        kind: 'answer',
        atMs,
        type: `$${verb}`,
        eventId: this.#nextId(`$${verb}`),
        journey: sender.name,
        step,
        place: this.#source.at(path),
      },
    ];
  }

  /** In production it would be a dead letter: no scenario is about that. */
  #checkReserved(event: AppendedEvent, path: Path): void {
    try {
      checkReserved({ ...event, topic: '', partition: 0, offset: 0, appendedAtMs: event.occurredAtMs, traceParent: null });
    } catch (error) {
      if (!(error instanceof ReservedEventError)) throw error;
      this.issue(path, error.message);
    }
  }

  /** A scenario that feeds what the catalogue does not know would prove nothing. `null` leaves a property away on purpose. */
  #checkProperties(type: string, entry: EntryForm, typePath: Path, path: Path): void {
    const properties = this.#properties(type, entry);
    const catalogue: Catalogue = this.#topology.catalogue;
    const known = catalogue.get(type);
    if (known === undefined) {
      this.issue(typePath, `there is no event \`${type}\` in events.yaml`, didYouMean(type, catalogue.keys(), 'events'));
      return;
    }
    for (const [name, value] of Object.entries(properties)) {
      const at = [...path, 'with', name];
      const property = known.properties.get(name);
      if (property === undefined)
        this.issue(at, `\`${type}\` has no property \`${name}\``, didYouMean(name, known.properties.keys(), 'known'));
      else if (value !== null && !fits(value, property.type)) this.issue(at, `\`${name}\` is a ${property.type}, not \`${String(value)}\``);
    }
    for (const [name, property] of known.properties)
      if (!property.optional && !(name in properties))
        this.issue(
          path,
          `\`${type}\` has no \`${name}\` here`,
          `give it a value, in \`with\` or under defaults; ${name}: null leaves it away on purpose`,
        );
  }

  /** @param placeOf the path of what has a path within the facts */
  #facts(facts: FactsForm, atMs: number, placeOf: (path: Path) => Path): TimelineStep[] {
    const place = this.#source.at(placeOf([]));
    const profile = this.#times(facts.profile ?? {}, this.#topology.profile ?? undefined);
    for (const { path, message, hint } of factMistakes({ ...facts, profile }, this.#topology)) this.issue(placeOf(path), message, hint);
    return factEvents(facts.profile === undefined ? facts : { ...facts, profile }).map(({ type, properties }) => ({
      kind: 'append',
      atMs,
      place,
      event: { eventId: this.#nextId(type), userId: this.#userId, type, occurredAtMs: atMs, sentAtMs: null, properties, imported: false },
    }));
  }

  /** What is a time may be written as one: from the start (`10d`), or as a date. */
  #times(values: Properties, types: ReadonlyMap<string, { readonly type: string }> | undefined): Properties {
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => {
        if (types?.get(name)?.type !== 'time' || typeof value !== 'string') return [name, value];
        const isFromStart = parseDuration(value.replace(/^-/, '')) !== undefined;
        const ms = isFromStart ? this.#time(value) : Date.parse(value);
        // What is neither is left as it is, and found out below.
        return [name, Number.isNaN(ms) ? value : ms];
      }),
    );
  }

  #time(text: string): number {
    const negative = text.startsWith('-');
    const ms = durationMs(negative ? text.slice(1) : text);
    return this.#startMs + (negative ? -ms : ms);
  }

  /** `cart_item_added-2`: readable in expectations. */
  #nextId(type: string): string {
    const number = (this.#ids.get(type) ?? 0) + 1;
    this.#ids.set(type, number);
    return `${type}-${number}`;
  }

  #journeyHint(name: string): string | null {
    return didYouMean(
      name,
      this.#topology.program.journeys.map((journey) => journey.name),
      'journeys',
    );
  }
}

function withoutNulls(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null));
}
