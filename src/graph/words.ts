import type {
  ConditionForm,
  Expression,
  JourneyFile,
  MatcherForm,
  MatchersForm,
  OnForm,
  SequenceElementForm,
  UntilForm,
  WaitForm,
} from '../topology/files.ts';

/** The patterns that the language has. One more in `OnForm` is one more that has to be put into words. */
export type PatternKind = Exclude<keyof OnForm, 'where'>;
type PatternForm<K extends PatternKind> = Exclude<OnForm[K], undefined>;

const PATTERNS: { readonly [K in PatternKind]: (form: PatternForm<K>, on: OnForm) => string } = {
  event: (event, { where }) => `${eventName(event)}${when(where)}`,
  absence: ({ after, without, within }) => `${matcher(after)}, then ${none(without)} within ${within}`,
  count: ({ of, times, within, without }) => {
    const between = without === undefined ? '' : `, ${none(without)} in between`;
    return `${times} × ${matcher(of)} ${within === 'session' ? 'in one session' : `within ${within}`}${between}`;
  },
  sequence: ({ of, within }) => `${sequence(of)}, within ${within}`,
  inactive: ({ after, for: time }) =>
    after === undefined ? `nothing at all for ${time}` : `${matcher(after)}, then nothing at all for ${time}`,
  dormant: ({ for: time }) => `nothing at all for ${time}`,
  milestone: ({ of, at, every }) =>
    every === undefined
      ? `${matcher(of)} for the ${either([at ?? []].flat().map(ordinal))} time`
      : `every ${every === 1 ? '' : `${ordinal(every)} `}${matcher(of)}`,
  streak: ({ of, days, at_least: least, breaks_at: breaks }) => {
    const long = least === undefined ? `${either([days ?? []].flat().map(String))} days in a row` : `at least ${days_(least)} in a row`;
    return `${matcher(of)} on ${long}${breaks === undefined ? '' : `, and by ${breaks} of the next day not yet`}`;
  },
  attribute: ({ of, from, to }) => {
    if (from === undefined) return to === undefined ? `${of} changes` : to === null ? `${of} is removed` : `${of} becomes ${to}`;
    return `${of} changes from ${from ?? 'nothing'}${to === undefined ? '' : ` to ${to ?? 'nothing'}`}`;
  },
  segment: ({ entered, left }) =>
    entered === undefined ? `somebody leaves the segment ${left ?? ''}` : `somebody enters the segment ${entered}`,
  date: ({ of, before, after, at }) => {
    const offset = before === undefined ? (after === undefined ? 'on ' : `${after} after `) : `${before} before `;
    return `${offset}${of}${clock(at)}`;
  },
  anniversary: ({ of, at }) => `every year on ${of}${clock(at)}`,
  item: ({ change, where, interest: { of, times = 1, within, without } }) =>
    `${eventName(change)}${when(where)}, after ${times === 1 ? '' : `${times} × `}${matcherWords(of)} within ${within}${without === undefined ? '' : `, and ${none(without)} since`}`,
  session_started: (form) => `a session starts${ofSession(form?.where)}`,
  session_ended: (form) =>
    `${form?.delay === undefined ? 'a session has ended' : `${form.delay} after the end of a session`}${ofSession(form?.where)}`,
};

export const PATTERN_KINDS = Object.keys(PATTERNS) as PatternKind[];

/** What starts a journey, as somebody would say it: `cart_item_added, then no purchase_completed within 1h, per cartId`. */
export function triggerWords({ on: form, key }: JourneyFile): string {
  const on: OnForm = typeof form === 'string' ? { event: form } : form;
  const kind = PATTERN_KINDS.find((name) => on[name] !== undefined);
  return `${kind === undefined ? '' : patternWords(kind, on)}${key === undefined ? '' : `, per ${key}`}`;
}

function patternWords(kind: PatternKind, on: OnForm): string {
  // Each takes the form of its own kind, which is what stands there.
  const words = PATTERNS[kind] as (form: OnForm[PatternKind], on: OnForm) => string;
  return words(on[kind], on);
}

/** How long a step waits, and for what: `up to 1d for tour_finished`. */
export function waitWords({ for: time, at, until }: WaitForm): string {
  const parts = [...(time === undefined ? [] : [time]), ...(at === undefined ? [] : [`until ${at}`])];
  if (until === undefined) return parts.join(', then ');
  const awaited = either(list(until).map(untilWords));
  return `${time === undefined || at !== undefined ? '' : 'up to '}${parts.join(', then ')} for ${awaited}`;
}

function untilWords(form: UntilForm): string {
  if (typeof form === 'string' || 'event' in form) return matcher(form);
  if ('delivered' in form) return `${form.delivered} to be delivered`;
  if ('opened' in form) return `${form.opened} to be opened`;
  if ('clicked' in form) return `${form.clicked} to be clicked`;
  if ('dismissed' in form) return `${form.dismissed} to be dismissed`;
  return form satisfies never;
}

/** Events of which any will do: `a, b or c`. */
export function matcherWords(forms: MatchersForm): string {
  return either(list(forms).map(matcher));
}

function matcher(form: MatcherForm): string {
  if (typeof form === 'string') return eventName(form);
  const notes = [...(form.where === undefined ? [] : [ofEvent(form.where)]), ...(form.per === 'user' ? ['whatever the key'] : [])];
  return `${eventName(form.event)}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}

function none(forms: MatchersForm): string {
  const all = list(forms);
  return all.includes('*') ? 'nothing at all' : `no ${matcherWords(all)}`;
}

function sequence(of: readonly SequenceElementForm[]): string {
  let text = '';
  let without: MatchersForm | null = null;
  for (const element of of) {
    if (typeof element !== 'string' && 'without' in element) {
      without = element.without;
      continue;
    }
    text += `${text === '' ? '' : ', then '}${matcher(element)}${without === null ? '' : ` with ${none(without)} in between`}`;
    without = null;
  }
  return without === null ? text : `${text}, then ${none(without)}`;
}

function eventName(type: string): string {
  return type === '*' ? 'any activity' : type;
}

function when(where: ConditionForm | undefined): string {
  return where === undefined ? '' : `, where ${ofEvent(where)}`;
}

/** A text of CEL: whole literals, and what stands between them. */
const PIECES = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"']+|["']/g;

/** A condition as it would be read aloud. */
export function conditionWords(form: ConditionForm): string {
  const text = String(form ?? '').trim();
  if (text === '' || text === 'false') return 'never';
  return text === 'true' ? 'always' : expressionWords(text);
}

/** A condition that stands beside its event: whose property it is need not be said. */
function ofEvent(where: ConditionForm): string {
  return outsideLiterals(conditionWords(where), (code) => code.replace(/\bevent\.(?=[A-Za-z_])/g, ''));
}

/** Beside a session, its counters need not be called its own. */
function ofSession(where: ConditionForm | undefined): string {
  if (where === undefined) return '';
  return `, where ${outsideLiterals(conditionWords(where), (code) => code.replace(/(?<![\w.])session\.counts\.(\w+)/g, 'count of $1'))}`;
}

/** CEL, with the signs that only programmers read replaced. What is not known here stays as it is written. */
export function expressionWords(form: Expression): string {
  // The usual guard of what may be missing says nothing to somebody who does not write these.
  const unguarded = String(form).replace(/\bcoalesce\(([A-Za-z_][\w.]*), ?(?:""|'')\)/g, '$1');
  return outsideLiterals(unguarded, plain).trim();
}

function outsideLiterals(text: string, change: (code: string) => string): string {
  const pieces = text.match(PIECES) ?? [];
  return pieces.map((piece) => (/^["'].*["']$/s.test(piece) ? piece : change(piece))).join('');
}

function plain(code: string): string {
  return code
    .replace(/!has\(([\w.]+)\)/g, 'no $1')
    .replace(/\bhas\(([\w.]+)\)/g, '$1 is known')
    .replace(/\s*&&\s*/g, ' and ')
    .replace(/\s*\|\|\s*/g, ' or ')
    .replace(/\s*==\s*/g, ' = ')
    .replace(/\s*!=\s*/g, ' ≠ ')
    .replace(/\s*>=\s*/g, ' ≥ ')
    .replace(/\s*<=\s*/g, ' ≤ ')
    .replace(/\s+/g, ' ');
}

/** A Liquid text for somebody who only wants to know what it says: `Your [name] is still in the cart`. */
export function liquidWords(text: string): string {
  return text
    .replace(/\{%-?\s*(?:else|elsif)\b[^]*?\{%-?\s*endif\s*-?%\}/g, '')
    .replace(/\{%[^]*?%\}/g, '')
    .replace(/\{\{-?\s*([^|}]*?)\s*(?:\|[^}]*)?-?\}\}/g, (_all, value: string) => `[${value.split('.').at(-1)!}]`)
    .replace(/\s+/g, ' ')
    .trim();
}

function clock(at: string | undefined): string {
  return at === undefined ? '' : `, at ${at}`;
}

function days_(number: number): string {
  return `${number} day${number === 1 ? '' : 's'}`;
}

function ordinal(number: number): string {
  const tens = number % 100;
  const ending = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${ending}`;
}

export function either(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}

export function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
