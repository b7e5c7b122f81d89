import { edgesOf, nodesOf } from './chart.ts';
import type { Chart, ChartNode, NodeKind } from './chart.ts';

const STYLES: Readonly<Record<NodeKind | 'note', string>> = {
  trigger: 'fill:#f1eafe,stroke:#6639ba,color:#1f2328',
  send: 'fill:#e2effd,stroke:#0550ae,color:#1f2328',
  wait: 'fill:#fdf3d8,stroke:#8a5a00,color:#1f2328',
  branch: 'fill:#dcf5f0,stroke:#0b6e62,color:#1f2328',
  split: 'fill:#dcf5f0,stroke:#0b6e62,color:#1f2328',
  update: 'fill:#fbe7f3,stroke:#99286e,color:#1f2328',
  exit: 'fill:#eef1f4,stroke:#59636e,color:#1f2328',
  end: 'fill:#eef1f4,stroke:#59636e,color:#1f2328',
  note: 'fill:#f6f8fa,stroke:#848d97,color:#1f2328,stroke-dasharray:4 4',
};

/** A journey as a Mermaid flowchart, for Markdown that draws these (GitHub, GitLab, Notion). */
export function toMermaid(chart: Chart): string {
  const nodes = nodesOf(chart.blocks);
  const facts = chart.facts.map(({ label, text }) => `${label}: ${text}`);
  const used = [...new Set(nodes.map(({ kind }) => kind))];
  const lines = [
    '---',
    `title: ${JSON.stringify(chart.name)}`,
    '---',
    'flowchart TD',
    ...(chart.description === null ? [] : [`  accDescr: ${oneLine(chart.description)}`]),
    ...nodes.map((node) => `  ${node.id}${shape(node)}:::${classOf(node.kind)}`),
    ...edgesOf(chart).map(
      ({ from, to, labels }) => `  ${from} -->${labels.length === 0 ? '' : `|${quoted([labels.join(' or ')])}|`} ${to}`,
    ),
    ...(facts.length === 0 ? [] : [`  note[${quoted(facts)}]:::note`, `  ${nodes[0]!.id} -.- note`]),
    ...[...used, 'note' as const].map((kind) => `  classDef ${classOf(kind)} ${STYLES[kind]}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** `end` closes a subgraph in Mermaid, and cannot be a name. */
function classOf(kind: NodeKind | 'note'): string {
  return kind === 'end' ? 'over' : kind;
}

function shape({ kind, name, text, details }: ChartNode): string {
  switch (kind) {
    case 'trigger':
      return `([${quoted([`When ${text}`])}])`;
    case 'send':
      return `(${quoted([`Send ${text}`, ...details])})`;
    case 'wait':
      return `{{${quoted([text, ...details])}}}`;
    case 'branch':
    case 'split':
      return `{${quoted([text, ...details])}}`;
    case 'update':
      return `[/${quoted([text, ...details])}/]`;
    case 'exit':
      return `([${quoted([name === null ? text : `${text}: ${name}`])}])`;
    case 'end':
      return `([${quoted([text])}])`;
  }
}

/** In quotes only these mean something to Mermaid, or to the HTML that it makes of labels. */
const ENTITIES: Readonly<Record<string, string>> = {
  '"': '#quot;',
  '#': '#35;',
  '&': '#amp;',
  '<': '#lt;',
  '>': '#gt;',
  '`': '#96;',
  '\\': '#92;',
};

function quoted(lines: readonly string[]): string {
  return `"${lines.map((line) => oneLine(line).replace(/["#&<>`\\]/g, (sign) => ENTITIES[sign]!)).join('<br>')}"`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
