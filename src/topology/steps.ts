import type { JourneyStep, Scope, WaitUntil } from '../core/program.ts';
import { BUCKETS } from '../core/bucket.ts';
import type { Scalar } from '../core/event.ts';
import { EvaluationError } from '../core/program.ts';
import { ANSWERS, type Answer } from '../core/reserved.ts';
import { emptyState } from '../core/step.ts';
import type { Expression } from './cel.ts';
import type { FileExpressions } from './conditions.ts';
import { personal } from './conditions.ts';
import { parseDuration } from './duration.ts';
import type { JourneyFile, StepForm, UntilForm } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { Loaded } from './load.ts';
import type { Update } from './loops.ts';
import type { Matchers } from './matchers.ts';
import { compileSend } from './sends.ts';
import { runMs, sendNames } from './step-forms.ts';
import type { Path } from './source.ts';
import { isDeclared } from './declared.ts';
import { localTime } from './local-time.ts';
import { didYouMean } from './suggest.ts';
import { fromCel } from './views.ts';

/** What the steps of a journey became, and what they read of its trigger. */
export interface CompiledSteps {
  readonly steps: readonly JourneyStep[];
  readonly capture: ReadonlySet<string>;
  readonly captureSession: boolean;
  readonly updates: readonly Update[];
}

/** A place in the flat list of steps, known once all of them have theirs. */
interface Label {
  at: number | null;
}

interface Draft {
  readonly path: Path;
  readonly make: () => JourneyStep;
}

/**
 * Makes the flat list of a journey's steps out of the nested form: a step leads to the next of its list, and the last of a list to what stands behind the step that the list
 * belongs to.
 */
export class StepsCompiler {
  readonly #loaded: Loaded<JourneyFile>;
  readonly #used: PatternUse;
  readonly #world: JourneyWorld;
  readonly #expressions: FileExpressions;
  readonly #matchers: Matchers;
  readonly #keyed: KeyCheck;
  readonly #drafts: Draft[] = [];
  readonly #names = new Map<string, Path>();
  readonly #capture = new Set<string>();
  #captureSession = false;
  readonly #updates: Update[] = [];

  constructor(
    loaded: Loaded<JourneyFile>,
    used: PatternUse,
    world: JourneyWorld,
    expressions: FileExpressions,
    matchers: Matchers,
    keyed: KeyCheck,
  ) {
    this.#loaded = loaded;
    this.#used = used;
    this.#world = world;
    this.#expressions = expressions;
    this.#matchers = matchers;
    this.#keyed = keyed;
  }

  /** What is wrong is kept as issues. */
  compile(): CompiledSteps {
    this.#list(this.#loaded.value.steps, ['steps'], { at: null });
    const steps = this.#drafts.map(({ make }) => make());
    // What is wrong elsewhere may be why a step seems to lead nowhere.
    if (!this.#expressions.issues.some(({ severity }) => severity === 'error')) {
      this.#checkReach(steps);
      this.#checkWaits(steps);
    }
    return { steps, capture: this.#capture, captureSession: this.#captureSession, updates: this.#updates };
  }

  /** Returns where the list begins: behind it is `then`, also where it is empty. */
  #list(forms: readonly StepForm[], path: Path, then: Label): Label {
    const labels = forms.map((): Label => ({ at: null }));
    forms.forEach((form, i) => {
      labels[i]!.at = this.#drafts.length;
      this.#step(form, [...path, i], labels[i + 1] ?? then);
    });
    return labels[0] ?? then;
  }

  #step(form: StepForm, path: Path, next: Label): void {
    const at = this.#drafts.length;
    const draft = (make: Draft['make']): void => {
      this.#drafts[at] = { path, make };
    };
    // Its place first: what it contains comes behind it.
    this.#drafts.push({ path, make: () => ({ kind: 'exit', name: '' }) });
    if ('send' in form) {
      this.#name(form.send, [...path, 'send']);
      const { source } = this.#loaded;
      const send = compileSend(source, form, path, this.#used.eventType, this.#world, this.#expressions);
      if (send === null) return;
      for (const property of send.capture) this.#capture.add(property);
      this.#captureSession ||= send.captureSession;
      draft(() => ({ ...send.step, next: next.at }));
    } else if ('wait' in form) {
      const name = this.#name(form.wait, [...path, 'wait']);
      const forMs = form.for === undefined ? 0 : (parseDuration(form.for) ?? 0);
      const atMinutes = form.at === undefined ? null : localTime(form.at, [...path, 'at'], this.#world, this.#expressions);
      if (form.for === undefined && form.at === undefined)
        this.#expressions.wrong(path, 'a wait without an end', 'say `for` how long, or `at` which local time');
      else if (forMs === 0 && form.at === undefined) this.#expressions.wrong([...path, 'for'], '`for` must be longer than nothing');
      if (form.then !== undefined && form.until === undefined)
        this.#expressions.wrong(
          [...path, 'then'],
          '`then` is for what comes of `until`',
          'name the events, or put the steps behind the wait',
        );
      const came = this.#list(form.then ?? [], [...path, 'then'], next);
      const over = this.#list(form.else ?? [], [...path, 'else'], next);
      const keepMs = Math.max(this.#world.settings.maxEventAgeMs, 2 * (this.#used.waitMs + runMs(this.#loaded.value.steps)));
      const until = this.#until(form.until, [...path, 'until'], keepMs);
      const fromTrigger = form.look_back === 'trigger';
      draft(() => ({
        kind: 'wait',
        name,
        forMs,
        atMinutes,
        fromTrigger,
        until: until.map((one) => ({ ...one, next: came.at })),
        next: over.at,
      }));
    } else if ('branch' in form) {
      const name = this.#name(form.branch, [...path, 'branch']);
      const cases = form.cases.map((one, i) => {
        const when = this.#expressions.condition(one.when, this.#place(), [...path, 'cases', i, 'when']);
        return { when: when ?? (() => true), to: this.#list(one.steps ?? [], [...path, 'cases', i, 'steps'], next) };
      });
      const otherwise = this.#list(form.else ?? [], [...path, 'else'], next);
      draft(() => ({ kind: 'branch', name, cases: cases.map(({ when, to }) => ({ when, next: to.at })), next: otherwise.at }));
    } else if ('split' in form) {
      const name = this.#name(form.split, [...path, 'split']);
      const arms = form.arms.map((arm, i) => ({
        ...{ name: arm.name, buckets: Math.round((arm.share * BUCKETS) / 100) },
        to: this.#list(arm.steps ?? [], [...path, 'arms', i, 'steps'], next),
      }));
      const sum = arms.reduce((total, { buckets }) => total + buckets, 0);
      if (sum !== BUCKETS) this.#expressions.wrong([...path, 'arms'], `the shares make ${(sum * 100) / BUCKETS} %, not 100`);
      const salt = form.salt ?? `${this.#loaded.value.name}/${name}`;
      let upTo = 0;
      const split = arms.map(({ name: arm, buckets, to }) => ({ name: arm, upTo: (upTo += buckets), to }));
      draft(() => ({ kind: 'split', name, salt, arms: split.map((arm) => ({ name: arm.name, upTo: arm.upTo, next: arm.to.at })) }));
    } else if ('update' in form) {
      const name = this.#name(form.update, [...path, 'update']);
      const set = this.#set(form.set, [...path, 'set']);
      draft(() => ({ kind: 'update', name, set, next: next.at }));
    } else {
      const name = this.#name(form.exit, [...path, 'exit']);
      draft(() => ({ kind: 'exit', name }));
    }
  }

  #place() {
    return { kind: 'send', eventType: this.#used.eventType } as const;
  }

  /** Names are part of ids and of what is kept of a run: each stands once. */
  #name(name: string, path: Path): string {
    if (this.#names.has(name))
      this.#expressions.wrong(path, `there is another step \`${name}\` in this journey`, 'give one of them another name');
    this.#names.set(name, path);
    return name;
  }

  #until(form: UntilForm | readonly UntilForm[] | undefined, path: Path, keepMs: number): Omit<WaitUntil, 'next'>[] {
    if (form === undefined) return [];
    const list = Array.isArray(form) ? (form as readonly UntilForm[]) : undefined;
    const forms = list ?? [form as UntilForm];
    return forms.flatMap((one, i): Omit<WaitUntil, 'next'>[] => {
      const at = list === undefined ? path : [...path, i];
      const answer = typeof one === 'string' ? undefined : ANSWERS.find((verb) => verb in one);
      if (answer !== undefined)
        return this.#answer(answer, String((one as Readonly<Record<string, unknown>>)[answer]), [...at, answer], keepMs);
      const matcher = this.#matchers.one(one as Parameters<Matchers['one']>[0], at, { place: 'event', any: true });
      if (matcher === null || (!matcher.perUser && matcher.matcher.type !== '*' && !this.#keyed.check([matcher]))) return [];
      const key = matcher.perUser || matcher.matcher.type === '*' ? null : this.#keyed.key;
      return [{ trackerId: this.#world.trackers.add([matcher], key, keepMs, { restrains: false }), by: 'key' }];
    });
  }

  /** What the user did with a message of this run. */
  #answer(verb: Answer, step: string, path: Path, keepMs: number): Omit<WaitUntil, 'next'>[] {
    const sends = sendNames(this.#loaded.value.steps);
    if (!sends.includes(step)) {
      this.#expressions.wrong(path, `this journey sends no \`${step}\``, didYouMean(step, sends, 'it sends'));
      return [];
    }
    const journey = this.#loaded.value.name;
    const type = `$${verb}`;
    const where = ({ event }: { readonly event: { readonly properties: Readonly<Record<string, unknown>> } | null }): boolean =>
      event?.properties['journey'] === journey && event.properties['step'] === step;
    const label = `${verb} ${step}`;
    const matcher = { matcher: { type, where }, path, perUser: false, label, definition: [type, `${journey}/${step}`] as const };
    return [{ trackerId: this.#world.trackers.add([matcher], 'occurrence', keepMs, { restrains: false }), by: 'occurrence' }];
  }

  #set(form: Readonly<Record<string, string | number | boolean>>, path: Path) {
    const set = new Map<string, (scope: Scope) => Scalar>();
    const { profile } = this.#world;
    for (const [attribute, text] of Object.entries(form)) {
      const at = [...path, attribute];
      const known = profile?.get(attribute);
      if (!isDeclared(attribute, at, profile, this.#expressions)) continue;
      const expression = this.#expressions.expression(text, this.#place(), at);
      if (expression === null) continue;
      const allowed: readonly string[] = known === undefined ? ['string', 'int', 'double', 'bool'] : CEL_OF[known.type];
      if (expression.type !== 'dyn' && !allowed.includes(expression.type)) {
        this.#expressions.wrong(at, `\`${attribute}\` is a ${known?.type ?? 'plain value'}, this is a ${personal(expression.type)}`);
        continue;
      }
      const { evaluate } = expression;
      this.#updates.push({ attribute, path: at, constant: constantOf(expression) });
      set.set(attribute, (scope) => {
        const value = fromCel(evaluate(scope));
        if (value === undefined) throw new EvaluationError(`\`${attribute}\` would be no plain value`);
        return value;
      });
    }
    return set;
  }

  #checkWaits(steps: readonly JourneyStep[]): void {
    steps.forEach((step, i) => {
      if (step.kind !== 'wait' || nextsOf(step).some((next) => next !== null)) return;
      const { source } = this.#loaded;
      const message = `nothing comes behind the wait \`${step.name}\``;
      this.#expressions.issues.push(source.issue(this.#drafts[i]!.path, message, 'a run that ends either way need not wait', 'warning'));
    });
  }

  /** A step that no run comes to is a mistake in the journey, not a reserve. */
  #checkReach(steps: readonly JourneyStep[]): void {
    const reached = new Set<number>();
    const open: (number | null)[] = [0];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (at === null || reached.has(at)) continue;
      reached.add(at);
      open.push(...nextsOf(steps[at]!));
    }
    this.#drafts.forEach(({ path }, i) => {
      // Of what lies behind a dead end the first is enough.
      if (!reached.has(i) && (i === 0 || reached.has(i - 1)))
        this.#expressions.wrong(path, 'no run comes to this step', 'the steps before it all end or lead elsewhere');
    });
  }
}

/** What an expression is that reads nothing of anybody. */
function constantOf({ reads, evaluate }: Expression): Scalar | undefined {
  if ([...reads.variables].some((variable) => variable !== 'params')) return undefined;
  try {
    return fromCel(evaluate({ event: null, trigger: null, state: emptyState(''), nowMs: 0 }));
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}

const CEL_OF = {
  string: ['string'],
  long: ['int'],
  double: ['double', 'int'],
  boolean: ['bool'],
  time: ['google.protobuf.Timestamp'],
} as const satisfies Record<string, readonly string[]>;

/** Where a run may go on behind a step. */
export function nextsOf(step: JourneyStep): readonly (number | null)[] {
  switch (step.kind) {
    case 'send':
    case 'update':
      return [step.next];
    case 'wait':
      return [step.next, ...step.until.map(({ next }) => next)];
    case 'branch':
      return [step.next, ...step.cases.map(({ next }) => next)];
    case 'split':
      return step.arms.map(({ next }) => next);
    case 'exit':
      return [];
  }
}
