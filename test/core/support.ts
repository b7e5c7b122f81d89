import type { Event, Properties } from '../../src/core/event.ts';
import type { Decision, Interest, Revocation, SendCommand } from '../../src/core/output.ts';
import type { Journey, SendStep } from '../../src/core/journey.ts';
import type { EventType, Limits, MessageClass, Program, Tracker } from '../../src/core/program.ts';
import type { Timer, UserState } from '../../src/core/state.ts';
import { emptyState, onEvent, onTimer, type Step } from '../../src/core/step.ts';
import { timersOf } from '../../src/core/timers.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** 2025-06-02T08:00:00Z */
export const START = 1_748_851_200_000;

export const WIDE_LIMITS: Limits = {
  recentEventIds: 1_000,
  matchesPerJourney: 1_000,
  keysPerTracker: 1_000,
  ledger: 1_000,
  devices: 10,
  profileAttributes: 20,
};

/** Needs neither consent nor device, is not capped: what a test does not speak of does not stand in its way. */
export const PLAIN: MessageClass = { name: 'plain', promise: 'at_most_once', needsConsent: false, capped: false };
export const MARKETING: MessageClass = { name: 'marketing', promise: 'at_most_once', needsConsent: true, capped: true };

export function programOf(
  parts: Partial<Omit<Program, 'eventTypes'>> & { activity?: readonly string[]; silent?: readonly string[] },
): Program {
  const { activity = ['a', 'b', 'c', 'x'], silent = [], ...rest } = parts;
  return {
    name: 'test',
    hash: 'hash',
    version: 0,
    app: 'lull',
    sessionGapMs: 30 * MINUTE,
    activeMs: 2 * MINUTE,
    maxEventAgeMs: DAY,
    timeZone: 'UTC',
    eventTypes: new Map<string, EventType>([
      ...activity.map((type) => [type, { type, activity: true }] as const),
      ...silent.map((type) => [type, { type, activity: false }] as const),
    ]),
    sums: [],
    trackers: [],
    tallies: [],
    journeys: [],
    classes: new Map([
      ['plain', PLAIN],
      ['marketing', MARKETING],
    ]),
    categories: new Map([['offers', { consent: 'in' }]]),
    channels: new Map([
      ['log', { device: false }],
      ['webpush', { device: true }],
      ['fcm', { device: true }],
    ]),
    caps: [],
    limits: WIDE_LIMITS,
    ...rest,
  };
}

export function journeyOf(parts: Pick<Journey, 'name' | 'pattern'> & Partial<Journey> & { send?: Partial<SendStep> }): Journey {
  const { send, ...rest } = parts;
  return {
    key: null,
    capture: [],
    captureSession: false,
    cancelOn: [],
    expiresAfterMs: null,
    audience: null,
    reentry: { kind: 'always' },
    priority: null,
    shadow: false,
    moved: new Map(),
    steps: [sendOf(send)],
    ...rest,
  };
}

export function sendOf(parts: Partial<SendStep> = {}): SendStep {
  return {
    kind: 'send',
    name: 'send',
    channels: ['log'],
    class: 'plain',
    category: null,
    ttlMs: HOUR,
    collapseKey: null,
    render: null,
    data: () => ({}),
    whileActive: null,
    next: null,
    ...parts,
  };
}

export function trackerOf(id: string, types: readonly string[], parts: Partial<Tracker> = {}): Tracker {
  return { id, matches: types.map((type) => ({ type, where: null })), key: null, keepMs: DAY, cap: 1_000, restrains: true, ...parts };
}

export interface EventParts {
  readonly id?: string;
  /** Event time, relative to START. Default: when it is appended. */
  readonly at?: number;
  readonly sentAt?: number;
  readonly properties?: Properties;
  readonly imported?: boolean;
  readonly appendedAt?: number;
}

/** One user's piece of the log: appends events and ticks in order, and keeps what came out. Times are relative to START. */
export class UserLog {
  state: UserState;
  nowMs = START;
  readonly decisions: Decision[] = [];
  readonly commands: SendCommand[] = [];
  readonly revocations: Revocation[] = [];
  readonly interests: Interest[] = [];
  readonly startMs = START;
  lateSuppressions = 0;
  duplicates = 0;
  fired = 0;
  program: Program;
  #offset = 0;

  constructor(program: Program, userId = 'user') {
    this.program = program;
    this.state = emptyState(userId);
  }

  /** Appends at `appendedAt` (which never runs backward) and processes at once. */
  event(type: string, appendedAt: number, parts: EventParts = {}): Step {
    return this.process(this.build(type, appendedAt, parts));
  }

  build(type: string, appendedAt: number, parts: EventParts = {}): Event {
    const offset = this.#offset++;
    return {
      topic: 'timeline',
      partition: 0,
      offset,
      eventId: parts.id ?? `e${offset}`,
      userId: this.state.userId,
      type,
      occurredAtMs: START + (parts.at ?? appendedAt),
      sentAtMs: parts.sentAt === undefined ? null : START + parts.sentAt,
      properties: parts.properties ?? {},
      imported: parts.imported ?? false,
      appendedAtMs: START + (parts.appendedAt ?? appendedAt),
      traceParent: null,
    };
  }

  process(event: Event): Step {
    this.nowMs = Math.max(this.nowMs, event.appendedAtMs);
    return this.#take(onEvent(this.state, event, this.nowMs, this.program));
  }

  /** A tick: fires what is due, also what is armed meanwhile, in the order of (due, id). */
  tick(appendedAt: number): void {
    this.nowMs = Math.max(this.nowMs, START + appendedAt);
    this.#offset++;
    for (let next = this.nextTimer(); next !== null && next.dueMs <= this.nowMs; next = this.nextTimer()) {
      this.fire(next);
    }
  }

  fire(timer: Timer): Step {
    this.fired++;
    return this.#take(onTimer(this.state, timer, this.nowMs, this.program));
  }

  nextTimer(): Timer | null {
    const timers = [...timersOf(this.state)].sort((a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1));
    return timers[0] ?? null;
  }

  /** What was decided, shortly: `journey occurrence reason`. */
  get outcomes(): string[] {
    return this.decisions.map((decision) => `${decision.journey} ${decision.occurrence} ${decision.reason}`);
  }

  reasonOf(occurrence: string): string | undefined {
    return this.decisions.find((decision) => decision.occurrence === occurrence)?.reason;
  }

  #take(step: Step): Step {
    this.state = step.state;
    this.decisions.push(...step.effects.decisions);
    this.commands.push(...step.effects.commands);
    this.revocations.push(...step.effects.revocations);
    this.interests.push(...step.effects.interests);
    this.lateSuppressions += step.effects.lateSuppressions;
    if (step.effects.duplicate) this.duplicates++;
    return step;
  }
}
