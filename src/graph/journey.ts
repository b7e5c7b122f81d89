import type { BranchForm, JourneyFile, SendForm, SplitForm, StepForm, TemplateFile, UpdateForm, WaitForm } from '../topology/files.ts';
import { fallsThrough } from './chart.ts';
import type { Block, Chart, ChartNode, Fact, NodeKind, Way } from './chart.ts';
import { conditionWords, expressionWords, liquidWords, matcherWords, triggerWords, waitWords } from './words.ts';

type Draw = (kind: NodeKind, name: string | null, text: string, details?: readonly string[]) => ChartNode;

/** A journey's chart. Of the templates, only the titles are read: a message is best known by what it says. */
export function chartOf(journey: JourneyFile, templates: readonly TemplateFile[]): Chart {
  let drawn = 0;
  const draw: Draw = (kind, name, text, details = []) => ({ id: `n${++drawn}`, kind, name, text, details });
  const titles = new Map(templates.map((template) => [template.name, titleOf(template)]));

  const trigger: Block = { node: draw('trigger', null, triggerWords(journey)), ways: [] };
  const blocks = [trigger, ...blocksOf(journey.steps)];
  if (fallsThrough(blocks)) blocks.push({ node: draw('end', null, 'End'), ways: [] });
  return { name: journey.name, description: journey.description ?? null, facts: factsOf(journey), blocks };

  function blocksOf(steps: readonly StepForm[] = []): Block[] {
    return steps.map(blockOf);
  }

  function blockOf(step: StepForm): Block {
    if ('send' in step) return { node: sendNode(step, titles, draw), ways: [] };
    if ('wait' in step) return { node: waitNode(step, draw), ways: waitWays(step) };
    if ('branch' in step) return { node: branchNode(step, draw), ways: branchWays(step) };
    if ('split' in step) return { node: splitNode(step, draw), ways: splitWays(step) };
    if ('update' in step) return { node: updateNode(step, draw), ways: [] };
    if ('exit' in step) return { node: draw('exit', step.exit, 'Exit'), ways: [] };
    return step satisfies never;
  }

  /** Without `until` there is one way only: the time is over. */
  function waitWays(step: WaitForm): Way[] {
    if (step.until === undefined) return step.else === undefined ? [] : [{ label: 'over', blocks: blocksOf(step.else) }];
    return [
      { label: 'came', blocks: blocksOf(step.then) },
      { label: 'over', blocks: blocksOf(step.else) },
    ];
  }

  function branchWays({ cases, else: otherwise }: BranchForm): Way[] {
    const isQuestion = cases.length === 1;
    return [
      ...cases.map(({ when, steps }) => ({ label: isQuestion ? 'yes' : conditionWords(when), blocks: blocksOf(steps) })),
      { label: isQuestion ? 'no' : 'else', blocks: blocksOf(otherwise) },
    ];
  }

  function splitWays({ arms }: SplitForm): Way[] {
    return arms.map(({ name, share, steps }) => ({ label: `${name} · ${share} %`, blocks: blocksOf(steps) }));
  }
}

function sendNode(step: SendForm, titles: ReadonlyMap<string, string>, draw: Draw): ChartNode {
  const title = step.template === undefined ? undefined : titles.get(step.template);
  const text = title === undefined ? (step.template ?? 'data only') : `“${title}”`;
  const active = step.while_active === undefined ? [] : [`in the app: ${activeWords(step.while_active)}`];
  return draw('send', step.send, text, [`${step.channels.join(', else ')} · ${step.category ?? step.class}`, ...active]);
}

function activeWords(form: NonNullable<SendForm['while_active']>): string {
  if (form === 'drop') return 'not sent';
  return 'hold' in form ? `waits until they have left, up to ${form.hold}` : form.channels.join(', else ');
}

function waitNode(step: WaitForm, draw: Draw): ChartNode {
  return draw('wait', step.wait, `Wait ${waitWords(step)}`, step.look_back === 'trigger' ? ['what came since the start counts too'] : []);
}

function branchNode({ branch, cases }: BranchForm, draw: Draw): ChartNode {
  // One case is a question; of several, each is said where its way starts.
  const [only, ...more] = cases;
  return draw('branch', branch, more.length > 0 || only === undefined ? 'The first that holds' : `${conditionWords(only.when)}?`);
}

function splitNode({ split, arms }: SplitForm, draw: Draw): ChartNode {
  return draw('split', split, `Users go ${arms.length} ways`, ['each user always the same']);
}

function updateNode({ update, set }: UpdateForm, draw: Draw): ChartNode {
  return draw(
    'update',
    update,
    Object.entries(set)
      .map(([name, value]) => `${name} = ${expressionWords(value)}`)
      .join(', '),
  );
}

/** The title in the template's own language; with the text, where the title is made of nothing but the event's properties. */
function titleOf({ messages, default: locale, name }: TemplateFile): string {
  const message = messages[locale];
  if (message === undefined) return name;
  const [title, body] = [liquidWords(String(message.title)), liquidWords(String(message.body))];
  return /\p{L}/u.test(title.replace(/\[[^\]]*\]/g, '')) ? title : `${title}: ${body}`;
}

const NOT_LIVE: Readonly<Record<Exclude<NonNullable<JourneyFile['mode']>, 'live'>, string>> = {
  draft: 'a draft, takes no part',
  shadow: 'in the shadow, decides and sends nothing',
};

function factsOf({ goal, cancel_on: cancel, audience, reentry, expires, priority, key, mode = 'live' }: JourneyFile): Fact[] {
  const facts: (Fact | null)[] = [
    mode === 'live' ? null : { label: 'Not live', text: NOT_LIVE[mode] },
    goal === undefined ? null : { label: 'Goal, ends it at once', text: matcherWords(goal) },
    cancel === undefined ? null : { label: 'Stops it at once', text: matcherWords(cancel) },
    audience === undefined ? null : { label: 'Only for', text: conditionWords(audience) },
    { label: 'How often', text: oftenWords(reentry, key) },
    priority === undefined ? null : { label: 'Priority', text: `${priority}: of one moment only the highest is sent` },
    expires === undefined ? null : { label: 'Too late', text: `more than ${expires} behind its moment` },
  ];
  return facts.filter((fact) => fact !== null);
}

function oftenWords(reentry = 'always', key: string | undefined): string {
  if (reentry === 'always') return 'every time';
  if (reentry === 'once per session') return `${reentry}${key === undefined ? '' : ` and ${key}`}`;
  if (reentry === 'once') return `once per ${key ?? 'user'}`;
  return `at most once ${reentry}${key === undefined ? '' : ` per ${key}`}`;
}
