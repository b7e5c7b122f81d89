import { own } from '../core/own.ts';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import type { Scalar } from '../core/event.ts';
import type { Lifetime, SessionSnapshot, SessionWindow, Trigger } from '../core/state.ts';
import type { Catalogue, Properties, ValueType } from './catalogue.ts';
import { parseDuration } from './duration.ts';
import type { Params, ParamValue } from './params.ts';

/**
 * What conditions read: for each kind of thing (an event type, the session, the user) one class whose getters convert on access. An expression is evaluated on
 * views that are pointed at the state at hand, so nothing is copied and nothing is built per evaluation. Evaluation is synchronous and never nested: a
 * view can be shared.
 */
export interface View {
  readonly point: (source: unknown) => void;
  readonly object: object;
}

/** A kind of view: the CEL type's name, its constructor and fields, and how a person calls it. */
export interface ViewType {
  readonly name: string;
  /** `an event cart_item_added`, `the session`: for messages. */
  readonly label: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly constructor: new () => object;
  readonly create: () => View;
}

export interface Field {
  /** CEL's name of the type. */
  readonly type: string;
  /** May be missing: reading it without a fallback is an error at check. */
  readonly optional: boolean;
}

interface Getter extends Field {
  /** undefined = missing. */
  readonly read: (source: never) => unknown;
  /** What was read is looked at through a view of its own, one for each view that it is read from: two sessions in one expression stay two. */
  readonly inner?: ViewType;
}

export type SessionLike = SessionWindow | SessionSnapshot;

const CEL_TYPES = { string: 'string', long: 'int', double: 'double', boolean: 'bool', time: 'google.protobuf.Timestamp' } as const;
export const TIMESTAMP = 'google.protobuf.Timestamp';
export const DURATION = 'google.protobuf.Duration';

/** The views of one topology. Names are counted, so that an event type called `list` cannot collide with CEL's own types. */
export class Views {
  readonly events: ReadonlyMap<string, ViewType>;
  readonly triggers: ReadonlyMap<string, ViewType>;
  /** A trigger of which only the session is known: the end of a session, any activity. */
  readonly anyTrigger: ViewType;
  readonly session: ViewType;
  /** null: attributes are not declared, `user` is a map. */
  readonly user: ViewType | null;
  readonly params: ViewType;
  /** What a user did over the lifetime. */
  readonly history: ViewType;
  /** Every type that has to be registered before the ones that contain it. */
  readonly all: readonly ViewType[];

  constructor(catalogue: Catalogue, profile: Properties | null, params: Params, sums: ReadonlyMap<string, 'int' | 'double'>) {
    const counts = viewType('SessionCounts', 'session.counts', countGetters(catalogue));
    const sumsType = viewType('SessionSums', 'session.sums', sumGetters(sums));
    this.session = viewType('Session', 'session', sessionGetters(counts, sumsType));
    this.user =
      profile === null
        ? null
        : viewType(
            'User',
            'user',
            propertyGetters(profile, (source: Readonly<Record<string, Scalar>>) => source),
          );
    this.params = viewType('Params', 'params', paramGetters(params));
    this.history = viewType('History', 'history', historyGetters());
    const events = new Map<string, ViewType>();
    const triggers = new Map<string, ViewType>();
    for (const { type, properties } of catalogue.values()) {
      const number = events.size + 1;
      events.set(
        type,
        viewType(
          `Event${number}`,
          type,
          propertyGetters(properties, (source: { readonly properties: Readonly<Record<string, Scalar>> }) => source.properties),
        ),
      );
      triggers.set(
        type,
        viewType(
          `Trigger${number}`,
          type,
          new Map([...propertyGetters(properties, (source: Trigger) => source.properties), ...triggerGetters(this.session)]),
        ),
      );
    }
    this.events = events;
    this.triggers = triggers;
    this.anyTrigger = viewType('Trigger', 'trigger', triggerGetters(this.session));
    this.all = [
      counts,
      sumsType,
      this.session,
      ...(this.user === null ? [] : [this.user]),
      this.params,
      this.history,
      ...events.values(),
      ...triggers.values(),
      this.anyTrigger,
    ];
  }
}

function viewType(name: string, label: string, getters: ReadonlyMap<string, Getter>): ViewType {
  // A private field keeps what is looked at out of the names that an expression can reach.
  class Viewed {
    #source: unknown = null;
    readonly #inner = new Map<string, View>();
    static point(view: Viewed, source: unknown): void {
      view.#source = source;
    }
    static read(view: Viewed): unknown {
      return view.#source;
    }
    static inner(view: Viewed, field: string, type: ViewType): View {
      let inner = view.#inner.get(field);
      if (inner === undefined) view.#inner.set(field, (inner = type.create()));
      return inner;
    }
  }
  for (const [field, { read, inner }] of getters) {
    Object.defineProperty(Viewed.prototype, field, {
      get(this: Viewed) {
        const source = Viewed.read(this);
        const value = source === null || source === undefined ? undefined : read(source as never);
        if (inner === undefined || value === undefined) return value;
        const view = Viewed.inner(this, field, inner);
        view.point(value);
        return view.object;
      },
    });
  }
  const create = () => {
    const object = new Viewed();
    return { object, point: (source: unknown) => Viewed.point(object, source) };
  };
  return { name, label, fields: getters, constructor: Viewed, create };
}

/** Numbers of the log become what the catalogue says they are. What is of another type is passed on as it is: CEL names the mismatch. */
export function toCel(value: Scalar | undefined, type: ValueType): unknown {
  if (value === null || value === undefined) return undefined;
  if (type === 'time') return typeof value === 'number' ? new Date(value) : value;
  return type === 'long' && typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** The other way; undefined where it is no plain value. */
export function fromCel(value: unknown): Scalar | undefined {
  switch (typeof value) {
    case 'bigint':
      return Number(value);
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      if (value === null) return null;
      return value instanceof Date ? value.getTime() : undefined;
  }
}

function propertyGetters(properties: Properties, of: (source: never) => Readonly<Record<string, Scalar>>): Map<string, Getter> {
  const getters = new Map<string, Getter>();
  for (const [name, { type, optional }] of properties) {
    const read = (source: never) => {
      const values = of(source);
      return Object.hasOwn(values, name) ? toCel(values[name], type) : undefined;
    };
    getters.set(name, { type: CEL_TYPES[type], optional, read });
  }
  return getters;
}

function countGetters(catalogue: Catalogue): Map<string, Getter> {
  const getters = new Map<string, Getter>();
  for (const type of [...catalogue.keys()].filter((name) => !name.startsWith('$')))
    getters.set(
      type,
      field('int', (session: SessionLike | Empty) => BigInt(own(session.counts, type) ?? 0)),
    );
  return getters;
}

function sumGetters(sums: ReadonlyMap<string, 'int' | 'double'>): Map<string, Getter> {
  const getters = new Map<string, Getter>();
  for (const [name, type] of sums)
    getters.set(
      name,
      field(type, (session: SessionLike | Empty) => toCel(own(session.sums, name) ?? 0, type === 'int' ? 'long' : 'double')),
    );
  return getters;
}

interface Empty {
  readonly count: 0;
  readonly counts: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, number>>;
}

/** No session: nothing was counted, and there is no start. */
export const NO_SESSION: Empty = { count: 0, counts: {}, sums: {} };

function sessionGetters(counts: ViewType, sums: ViewType): Map<string, Getter> {
  const start = (session: SessionLike | Empty) => ('startMs' in session ? session.startMs : undefined);
  const last = (session: SessionLike | Empty) => ('startMs' in session ? session.lastMs : undefined);
  return new Map([
    ['count', field('int', (session: SessionLike | Empty) => BigInt(session.count))],
    ['counts', { ...field(counts.name, (session: SessionLike | Empty) => session), inner: counts }],
    ['sums', { ...field(sums.name, (session: SessionLike | Empty) => session), inner: sums }],
    ['start', field(TIMESTAMP, (session: SessionLike | Empty) => date(start(session)))],
    ['last', field(TIMESTAMP, (session: SessionLike | Empty) => date(last(session)))],
    [
      'duration',
      field(DURATION, (session: SessionLike | Empty) => Duration.fromMilliseconds((last(session) ?? 0) - (start(session) ?? 0))),
    ],
  ]);
}

function historyGetters(): Map<string, Getter> {
  return new Map([
    ['sessions', field('int', (lifetime: Lifetime) => BigInt(lifetime.sessions))],
    ['firstSeen', { ...field(TIMESTAMP, (lifetime: Lifetime) => date(lifetime.firstSeenAtMs ?? undefined)), optional: true }],
    ['lastSeen', { ...field(TIMESTAMP, (lifetime: Lifetime) => date(lifetime.lastActivityAtMs ?? undefined)), optional: true }],
  ]);
}

function triggerGetters(session: ViewType): Map<string, Getter> {
  return new Map([
    ['eventId', field('string', (trigger: Trigger) => trigger.eventId)],
    ['eventType', field('string', (trigger: Trigger) => trigger.type)],
    ['occurredAt', field(TIMESTAMP, (trigger: Trigger) => date(trigger.occurredAtMs))],
    ['session', { ...field(session.name, (trigger: Trigger) => trigger.session ?? NO_SESSION), inner: session }],
  ]);
}

function paramGetters(params: Params): Map<string, Getter> {
  const getters = new Map<string, Getter>();
  for (const [name, value] of params) {
    const [type, converted] = paramToCel(value);
    getters.set(
      name,
      field(type, () => converted),
    );
  }
  return getters;
}

function paramToCel(value: ParamValue): [type: string, value: unknown] {
  if (typeof value === 'boolean') return ['bool', value];
  if (typeof value === 'number') return Number.isSafeInteger(value) ? ['int', BigInt(value)] : ['double', value];
  const ms = parseDuration(value);
  return ms === undefined ? ['string', value] : [DURATION, Duration.fromMilliseconds(ms)];
}

function field(type: string, read: Getter['read']): Getter {
  return { type, optional: false, read };
}

function date(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}
