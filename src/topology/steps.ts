import type { JourneyStep } from '../core/journey.ts';
import { BUCKETS } from '../core/bucket.ts';
import { durationMs } from './duration.ts';
import type { BranchForm, SendForm, SplitForm, StepForm, UpdateForm, WaitForm } from './files.ts';
import { localTime } from './local-time.ts';
import type { Update } from './loops.ts';
import { compileSend } from './sends.ts';
import type { Path } from './source.ts';
import type { StepContext } from './step-context.ts';
import { runMs } from './step-forms.ts';
import { compileSet } from './update-values.ts';
import { compileUntil } from './until.ts';

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

/** Called once all steps have their places. */
type Make = () => JourneyStep;

interface Draft {
  readonly path: Path;
  readonly make: Make;
}

/**
 * Makes the flat list of a journey's steps out of the nested form: a step leads to the next of its list, and the last of a list to what stands behind the step that the list
 * belongs to.
 */
export class StepsCompiler {
  readonly #context: StepContext;
  readonly #drafts: Draft[] = [];
  readonly #names = new Map<string, Path>();
  readonly #capture = new Set<string>();
  #captureSession = false;
  readonly #updates: Update[] = [];

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** What is wrong is kept as issues. */
  compile(): CompiledSteps {
    this.#list(this.#context.loaded.value.steps, ['steps'], { at: null });
    const steps = this.#drafts.map(({ make }) => make());
    // What is wrong elsewhere may be why a step seems to lead nowhere.
    if (!this.#context.expressions.issues.some(({ severity }) => severity === 'error')) {
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
    // Its place first: what it contains comes behind it.
    this.#drafts.push({ path, make: () => ({ kind: 'exit', name: '' }) });
    const make = this.#make(form, path, next);
    if (make !== null) this.#drafts[at] = { path, make };
  }

  /** null where it is wrong: the issue is kept. */
  #make(form: StepForm, path: Path, next: Label): Make | null {
    if ('send' in form) return this.#send(form, path, next);
    if ('wait' in form) return this.#wait(form, path, next);
    if ('branch' in form) return this.#branch(form, path, next);
    if ('split' in form) return this.#split(form, path, next);
    if ('update' in form) return this.#update(form, path, next);
    const name = this.#name(form.exit, [...path, 'exit']);
    return () => ({ kind: 'exit', name });
  }

  #send(form: SendForm, path: Path, next: Label): Make | null {
    this.#name(form.send, [...path, 'send']);
    const { loaded, used, world, expressions } = this.#context;
    const send = compileSend(loaded.source, form, path, used.eventType, world, expressions);
    if (send === null) return null;
    for (const property of send.capture) this.#capture.add(property);
    this.#captureSession ||= send.captureSession;
    return () => ({ ...send.step, next: next.at });
  }

  #wait(form: WaitForm, path: Path, next: Label): Make {
    const { loaded, used, world, expressions } = this.#context;
    const name = this.#name(form.wait, [...path, 'wait']);
    const forMs = form.for === undefined ? 0 : durationMs(form.for);
    const atMinutes = form.at === undefined ? null : localTime(form.at, [...path, 'at'], world, expressions);
    if (form.for === undefined && form.at === undefined)
      expressions.wrong(path, 'a wait without an end', 'say `for` how long, or `at` which local time');
    else if (forMs === 0 && form.at === undefined) expressions.wrong([...path, 'for'], '`for` must be longer than nothing');
    if (form.then !== undefined && form.until === undefined)
      expressions.wrong([...path, 'then'], '`then` is for what comes of `until`', 'name the events, or put the steps behind the wait');
    const came = this.#list(form.then ?? [], [...path, 'then'], next);
    const over = this.#list(form.else ?? [], [...path, 'else'], next);
    const keepMs = Math.max(world.settings.maxEventAgeMs, 2 * (used.waitMs + runMs(loaded.value.steps)));
    const until = compileUntil(this.#context, form.until, [...path, 'until'], keepMs);
    const fromTrigger = form.look_back === 'trigger';
    return () => ({
      ...{ kind: 'wait', name, forMs, atMinutes, fromTrigger },
      until: until.map((one) => ({ ...one, next: came.at })),
      next: over.at,
    });
  }

  #branch(form: BranchForm, path: Path, next: Label): Make {
    const { used, expressions } = this.#context;
    const name = this.#name(form.branch, [...path, 'branch']);
    const cases = form.cases.map((one, i) => {
      const when = expressions.condition(one.when, { kind: 'send', eventType: used.eventType }, [...path, 'cases', i, 'when']);
      return { when: when ?? (() => true), to: this.#list(one.steps ?? [], [...path, 'cases', i, 'steps'], next) };
    });
    const otherwise = this.#list(form.else ?? [], [...path, 'else'], next);
    return () => ({ kind: 'branch', name, cases: cases.map(({ when, to }) => ({ when, next: to.at })), next: otherwise.at });
  }

  #split(form: SplitForm, path: Path, next: Label): Make {
    const { loaded, expressions } = this.#context;
    const name = this.#name(form.split, [...path, 'split']);
    const arms = form.arms.map((arm, i) => ({
      ...{ name: arm.name, buckets: Math.round((arm.share * BUCKETS) / 100) },
      to: this.#list(arm.steps ?? [], [...path, 'arms', i, 'steps'], next),
    }));
    const sum = arms.reduce((total, { buckets }) => total + buckets, 0);
    if (sum !== BUCKETS) expressions.wrong([...path, 'arms'], `the shares make ${(sum * 100) / BUCKETS} %, not 100`);
    const salt = form.salt ?? `${loaded.value.name}/${name}`;
    let upTo = 0;
    const split = arms.map(({ name: arm, buckets, to }) => ({ name: arm, upTo: (upTo += buckets), to }));
    return () => ({ kind: 'split', name, salt, arms: split.map((arm) => ({ name: arm.name, upTo: arm.upTo, next: arm.to.at })) });
  }

  #update(form: UpdateForm, path: Path, next: Label): Make {
    const name = this.#name(form.update, [...path, 'update']);
    const { set, updates } = compileSet(this.#context, form.set, [...path, 'set']);
    this.#updates.push(...updates);
    return () => ({ kind: 'update', name, set, next: next.at });
  }

  /** Names are part of ids and of what is kept of a run: each stands once. */
  #name(name: string, path: Path): string {
    if (this.#names.has(name))
      this.#context.expressions.wrong(path, `there is another step \`${name}\` in this journey`, 'give one of them another name');
    this.#names.set(name, path);
    return name;
  }

  #checkWaits(steps: readonly JourneyStep[]): void {
    steps.forEach((step, i) => {
      if (step.kind !== 'wait' || nextsOf(step).some((next) => next !== null)) return;
      const { source } = this.#context.loaded;
      const message = `nothing comes behind the wait \`${step.name}\``;
      this.#context.expressions.issues.push(
        source.issue(this.#drafts[i]!.path, message, 'a run that ends either way need not wait', 'warning'),
      );
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
        this.#context.expressions.wrong(path, 'no run comes to this step', 'the steps before it all end or lead elsewhere');
    });
  }
}

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
