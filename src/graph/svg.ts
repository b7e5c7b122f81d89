import { edgesOf, nodesOf } from './chart.ts';
import type { Chart, NodeKind } from './chart.ts';
import { ASIDE, CARD, LABEL, PILL, layOut } from './layout.ts';
import type { Aside, Box, Label, Line, Point } from './layout.ts';
import { cut, textWidth, wrap } from './text.ts';

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/**
 * Light colours stand in attributes, which every program that opens SVG understands; dark ones in a style, which browsers apply where the reader's
 * system is dark.
 */
const COLOURS = {
  page: ['#ffffff', '#0d1117'],
  card: ['#ffffff', '#161b22'],
  edge: ['#d8dee4', '#3d444d'],
  ink: ['#1f2328', '#e6edf3'],
  muted: ['#59636e', '#9198a1'],
  line: ['#848d97', '#767e88'],
  note: ['#f6f8fa', '#12171e'],
} as const;
type Colour = keyof typeof COLOURS;

/** Of each kind of node: ink and tint, by day and by night. */
const KINDS: Readonly<
  Record<NodeKind, { readonly caption: string; readonly ink: readonly [string, string]; readonly tint: readonly [string, string] }>
> = {
  trigger: { caption: 'When', ink: ['#6639ba', '#c297ff'], tint: ['#f1eafe', '#2a1f47'] },
  send: { caption: 'Send', ink: ['#0550ae', '#79c0ff'], tint: ['#e2effd', '#12294a'] },
  wait: { caption: 'Wait', ink: ['#8a5a00', '#e3b341'], tint: ['#fdf3d8', '#33280c'] },
  branch: { caption: 'Branch', ink: ['#0b6e62', '#56d4bf'], tint: ['#dcf5f0', '#0e322d'] },
  split: { caption: 'Split', ink: ['#0b6e62', '#56d4bf'], tint: ['#dcf5f0', '#0e322d'] },
  update: { caption: 'Update', ink: ['#99286e', '#f778ba'], tint: ['#fbe7f3', '#3d1730'] },
  exit: { caption: 'Exit', ink: ['#59636e', '#9198a1'], tint: ['#eef1f4', '#21262d'] },
  end: { caption: 'End', ink: ['#59636e', '#9198a1'], tint: ['#eef1f4', '#21262d'] },
};

/** Drawn by strokes, 16 by 16. */
const ICONS: Readonly<Record<Exclude<NodeKind, 'exit' | 'end'>, string>> = {
  trigger: 'M9.2 1.6 3.4 9.1H8l-1.2 5.3 5.8-7.5H8z',
  send: 'M8 1.9A4.1 4.1 0 0 0 3.9 6v2.7l-1.4 2.5h11l-1.4-2.5V6A4.1 4.1 0 0 0 8 1.9zM6.4 13.4a1.7 1.7 0 0 0 3.2 0',
  wait: 'M8 1.7a6.3 6.3 0 1 0 0 12.6A6.3 6.3 0 0 0 8 1.7zM8 4.5V8l2.4 1.7',
  branch: 'M8 1.6 14.4 8 8 14.4 1.6 8zM6.5 6.6a1.6 1.6 0 1 1 2.3 1.5c-.5.3-.8.6-.8 1.1M8 10.9v.1',
  split: 'M8 14.4V10c0-3.4-4.4-3-4.4-7.4M8 10c0-3.4 4.4-3 4.4-7.4M1.7 4.5l1.9-2 1.9 2M10.5 4.5l1.9-2 1.9 2',
  update: 'M2.3 13.7l.8-3.2 7.4-7.4a1.7 1.7 0 0 1 2.4 2.4l-7.4 7.4zM9.3 4.3l2.4 2.4',
};

const MARGIN = 32;
const CAPTION_SIZE = 11.5;
const TITLE = { size: 22, line: 30, description: 14, descriptionLine: 21, leastWidth: 420 } as const;

/** A picture of a journey that needs nothing else: no fonts, no scripts, no files. */
export function toSvg(chart: Chart): string {
  const layout = layOut(chart);
  const width = Math.ceil(Math.max(layout.width, TITLE.leastWidth, textWidth(chart.name, TITLE.size, true)));
  const description = chart.description === null ? [] : wrap(chart.description, width, TITLE.description);
  const top = MARGIN + TITLE.line + description.length * TITLE.descriptionLine + 22;
  const size = { width: width + MARGIN * 2, height: Math.ceil(top + layout.height + MARGIN) };
  const id = chart.name;
  const trigger = layout.boxes[0]!;
  const asideY = Math.min(trigger.height, layout.aside.height) / 2;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-labelledby="${xml(id)}-title ${xml(id)}-desc" font-family="${xml(FONT)}">`,
    `<title id="${xml(id)}-title">${xml(`Journey ${chart.name}`)}</title>`,
    `<desc id="${xml(id)}-desc">${xml(inWords(chart))}</desc>`,
    `<style>${nightStyle()}</style>`,
    `<rect ${fill('page')} width="${size.width}" height="${size.height}" rx="14"/>`,
    text(chart.name, MARGIN, MARGIN + 18, TITLE.size, 'ink', 700),
    ...description.map((part, i) => text(part, MARGIN, MARGIN + TITLE.line + 14 + i * TITLE.descriptionLine, TITLE.description, 'muted')),
    `<g transform="translate(${MARGIN} ${top})">`,
    `<path ${stroke('line')} stroke-dasharray="2 5" stroke-linecap="round" d="M${round(trigger.x + trigger.width)} ${round(asideY)}H${round(layout.aside.x)}"/>`,
    ...layout.lines.map(lineSvg),
    ...layout.lines.filter(({ arrow }) => arrow).map(({ points }) => arrowSvg(points.at(-1)!)),
    ...layout.labels.map(labelSvg),
    ...layout.boxes.map(boxSvg),
    asideSvg(layout.aside),
    '</g>',
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function boxSvg(box: Box): string {
  const { node, x, y, width, height } = box;
  const { caption } = KINDS[node.kind];
  if (node.kind === 'exit' || node.kind === 'end') {
    const middle = text(box.text[0]!, x + width / 2, y + 19.5, PILL.size, `${node.kind}-ink`, 600, 'middle');
    return `<g>\n<rect ${rect(box)} rx="${height / 2}" ${fill(`${node.kind}-tint`)}/>\n${middle}\n</g>`;
  }
  const left = x + CARD.textX;
  const textY = y + CARD.padY + CARD.caption;
  const detailY = textY + box.text.length * CARD.text;
  const nameWidth = width - CARD.textX - CARD.padX - textWidth(`${caption}  `, CAPTION_SIZE, true);
  const name =
    node.name === null ? '' : `<tspan ${fill('muted')} font-weight="400">  ${xml(cut(node.name, nameWidth, CAPTION_SIZE))}</tspan>`;
  const tileY = y + CARD.padY;
  return [
    '<g>',
    `<rect ${rect(box)} rx="12" ${fill('card')} ${stroke('edge')}/>`,
    `<rect x="${round(x + CARD.padX)}" y="${round(tileY)}" width="${CARD.tile}" height="${CARD.tile}" rx="8" ${fill(`${node.kind}-tint`)}/>`,
    `<path transform="translate(${round(x + CARD.padX + 7)} ${round(tileY + 7)})" d="${ICONS[node.kind]}" class="${node.kind}-line" fill="none" stroke="${KINDS[node.kind].ink[0]}" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/>`,
    `<text x="${round(left)}" y="${round(y + CARD.padY + 10)}" font-size="${CAPTION_SIZE}" font-weight="600" xml:space="preserve" ${fill(`${node.kind}-ink`)}>${xml(caption)}${name}</text>`,
    ...box.text.map((part, i) => text(part, left, textY + 14 + i * CARD.text, CARD.textSize, 'ink', 600)),
    ...box.details.map((part, i) => text(part, left, detailY + 14 + i * CARD.detail, CARD.detailSize, 'muted')),
    '</g>',
  ].join('\n');
}

function labelSvg(label: Label): string {
  const lines = label.text.map((part, i) =>
    text(part, label.x + label.width / 2, label.y + LABEL.padY + 12 + i * LABEL.line, LABEL.size, 'muted', 500, 'middle'),
  );
  return [`<rect ${rect(label)} rx="9" ${fill('page')}/>`, ...lines].join('\n');
}

function asideSvg({ facts, ...area }: Aside): string {
  const parts = ['<g>', `<rect ${rect(area)} rx="12" ${fill('note')} ${stroke('edge')}/>`];
  let y = area.y + ASIDE.pad;
  for (const fact of facts) {
    parts.push(text(fact.label, area.x + ASIDE.pad, y + 10, ASIDE.labelSize, 'muted', 600));
    y += ASIDE.label;
    for (const part of fact.text) {
      parts.push(text(part, area.x + ASIDE.pad, y + 13, ASIDE.size, 'ink'));
      y += ASIDE.line;
    }
    y += ASIDE.gap;
  }
  return [...parts, '</g>'].join('\n');
}

/** Corners are rounded as far as there is room. */
function lineSvg({ points, arrow }: Line): string {
  const path = points.map((point, i) => {
    const before = points[i - 1];
    const after = points[i + 1];
    if (before === undefined) return `M${at(point)}`;
    // The arrow's head ends the line: what is below it would blunt the point.
    if (after === undefined) return `L${at(arrow ? towards(point, before, 6) : point)}`;
    const radius = Math.min(10, distance(before, point) / 2, distance(point, after) / 2);
    return `L${at(towards(point, before, radius))}Q${at(point)} ${at(towards(point, after, radius))}`;
  });
  return `<path ${stroke('line')} d="${path.join('')}"/>`;
}

/** All arrows point down. */
function arrowSvg([x, y]: Point): string {
  return `<path ${fill('line')} d="M${at([x, y])}l-5 -9h10z"/>`;
}

function distance(a: Point, b: Point): number {
  return Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]);
}

/** From a point on towards another that is on the same vertical or horizontal. */
function towards(from: Point, to: Point, by: number): Point {
  return [from[0] + Math.sign(to[0] - from[0]) * by, from[1] + Math.sign(to[1] - from[1]) * by];
}

type ColourName = Colour | `${NodeKind}-ink` | `${NodeKind}-tint`;

function coloursOf(name: ColourName): readonly [string, string] {
  if (name in COLOURS) return COLOURS[name as Colour];
  const [kind, part] = name.split('-') as [NodeKind, 'ink' | 'tint'];
  return KINDS[kind][part];
}

function fill(name: ColourName): string {
  return `class="${name}" fill="${coloursOf(name)[0]}"`;
}

function stroke(name: 'line' | 'edge'): string {
  return name === 'line' ? `class="path" fill="none" stroke="${COLOURS.line[0]}" stroke-width="2"` : `stroke="${COLOURS.edge[0]}"`;
}

function nightStyle(): string {
  const plain = (Object.keys(COLOURS) as Colour[]).map((name) => `.${name}{fill:${COLOURS[name][1]}}`);
  const kinds = (Object.keys(KINDS) as NodeKind[]).flatMap((kind) => [
    `.${kind}-ink{fill:${KINDS[kind].ink[1]}}`,
    `.${kind}-tint{fill:${KINDS[kind].tint[1]}}`,
    `.${kind}-line{stroke:${KINDS[kind].ink[1]}}`,
  ]);
  const lines = [`.path{stroke:${COLOURS.line[1]}}`, `rect.card,rect.note{stroke:${COLOURS.edge[1]}}`];
  return `@media (prefers-color-scheme: dark){${[...plain, ...kinds, ...lines].join('')}}`;
}

function text(content: string, x: number, y: number, size: number, colour: ColourName, weight = 400, anchor?: 'middle'): string {
  const attributes = [
    `x="${round(x)}" y="${round(y)}" font-size="${size}"`,
    ...(weight === 400 ? [] : [`font-weight="${weight}"`]),
    ...(anchor === undefined ? [] : [`text-anchor="${anchor}"`]),
    fill(colour),
  ];
  return `<text ${attributes.join(' ')}>${xml(content)}</text>`;
}

function rect({
  x,
  y,
  width,
  height,
}: {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}): string {
  return `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
}

function at([x, y]: Point): string {
  return `${round(x)} ${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The whole chart for those who cannot see it. */
function inWords(chart: Chart): string {
  const nodes = nodesOf(chart.blocks);
  const nameOf = new Map(nodes.map(({ id, name, text: said }) => [id, name ?? said]));
  const edges = edgesOf(chart);
  const steps = nodes.map(({ id, kind, name, text: said, details }) => {
    const ways = edges
      .filter(({ from, labels }) => from === id && labels.length > 0)
      .map(({ to, labels }) => `${labels.join(' or ')}: on to ${nameOf.get(to)!}`);
    const what =
      kind === 'end' ? said : `${KINDS[kind].caption}${name === null ? '' : ` ${name}`}: ${[said, ...details, ...ways].join('; ')}`;
    return `${what}.`;
  });
  const facts = chart.facts.map(({ label, text: said }) => `${label}: ${said}.`);
  return [...(chart.description === null ? [] : [chart.description]), ...steps, ...facts].join(' ');
}

/** As text and inside of attributes. What XML cannot carry is left out. */
function xml(content: string): string {
  const carried = content.toWellFormed().replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '');
  return carried.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
