import { fallsThrough } from './chart.ts';
import type { Block, Chart, ChartNode, Way } from './chart.ts';
import { balanced, textWidth, wrap } from './text.ts';

/** Where everything is, in the units of the drawing. y grows downwards. */
export interface Layout {
  readonly boxes: readonly Box[];
  readonly labels: readonly Label[];
  readonly lines: readonly Line[];
  readonly aside: Aside;
  readonly width: number;
  readonly height: number;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Box extends Rect {
  readonly node: ChartNode;
  readonly text: readonly string[];
  readonly details: readonly string[];
}

export interface Label extends Rect {
  readonly text: readonly string[];
}

export interface Line {
  /** Corners, by right angles. */
  readonly points: readonly Point[];
  readonly arrow: boolean;
}

export type Point = readonly [x: number, y: number];

export interface Aside extends Rect {
  readonly facts: readonly { readonly label: string; readonly text: readonly string[] }[];
}

/** Sizes of type and of what is set in it, shared with the renderer. */
export const CARD = {
  width: 300,
  padX: 14,
  padY: 13,
  tile: 30,
  textX: 56,
  caption: 16,
  text: 19,
  detail: 17,
  textSize: 14.5,
  detailSize: 12,
} as const;
export const PILL = { height: 30, size: 12.5 } as const;
export const LABEL = { line: 16, size: 12, padX: 9, padY: 3 } as const;
export const ASIDE = { width: 236, pad: 16, label: 16, line: 18, gap: 12, labelSize: 11, size: 13 } as const;

/** Between cards; from a card to where its ways part; around labels; between columns; behind where ways meet. */
const GAP = 32;
const FORK = 16;
const LABEL_GAP = 10;
const COLUMN_GAP = 28;
const JOIN = 14;
const LABEL_WIDTH = 190;

/** Mutable while things are placed. */
interface Drawing {
  readonly boxes: Box[];
  readonly labels: Label[];
  readonly lines: Line[];
}

/** A part of the chart whose size is known. Its arrows come and go at x = 0. */
interface Piece {
  readonly left: number;
  readonly right: number;
  readonly height: number;
  readonly place: (x: number, y: number, drawing: Drawing) => void;
}

interface Column {
  readonly way: Way;
  readonly label: Label;
  readonly piece: Piece;
  readonly left: number;
  readonly right: number;
  x: number;
}

/**
 * Lays a chart out from top to bottom. Lists become stacks, ways become columns that meet again below the longest of them. A way that has nothing of its own goes straight
 * down, and its siblings stand to the right of it: so the shortest way through a journey is one line. Lines run between columns and below them only: none
 * crosses a box or another line.
 */
export function layOut(chart: Chart): Layout {
  const drawing: Drawing = { boxes: [], labels: [], lines: [] };
  const piece = listPiece(chart.blocks);
  piece.place(piece.left, 0, drawing);
  const aside = asideOf(chart, drawing);
  return {
    ...drawing,
    aside,
    width: Math.max(piece.left + piece.right, aside.x + aside.width),
    height: Math.max(piece.height, aside.height),
  };
}

function listPiece(blocks: readonly Block[]): Piece {
  const pieces = blocks.map(blockPiece);
  const height = pieces.reduce((sum, piece) => sum + piece.height, 0) + GAP * Math.max(0, pieces.length - 1);
  return {
    left: Math.max(0, ...pieces.map((piece) => piece.left)),
    right: Math.max(0, ...pieces.map((piece) => piece.right)),
    height,
    place: (x, top, drawing) => {
      let y = top;
      pieces.forEach((piece, i) => {
        if (i > 0 && fallsThrough(blocks.slice(0, i))) drawing.lines.push(straight(x, y - GAP, y));
        piece.place(x, y, drawing);
        y += piece.height + GAP;
      });
    },
  };
}

function blockPiece({ node, ways }: Block): Piece {
  const box = boxOf(node);
  const half = box.width / 2;
  const placeBox: Piece['place'] = (x, y, drawing) => drawing.boxes.push({ ...box, x: x - half, y });
  if (ways.length === 0) return { left: half, right: half, height: box.height, place: placeBox };

  const columns = columnsOf(ways);
  const labelHeight = Math.max(...columns.map(({ label }) => label.height));
  const labelY = box.height + FORK + LABEL_GAP;
  const columnY = labelY + labelHeight + LABEL_GAP * 2;
  const bottom = columnY + Math.max(...columns.map(({ piece }) => piece.height));
  // Where only the straight way goes on, nothing has to come back to it.
  const joins = columns.some(({ way, x }) => x !== 0 && fallsThrough(way.blocks));
  const joinY = bottom + (joins ? JOIN : 0);
  const height = joinY + (joins ? JOIN : 0);
  return {
    left: Math.max(half, ...columns.map(({ x, left }) => left - x)),
    right: Math.max(half, ...columns.map(({ x, right }) => x + right)),
    height,
    place: (x, y, drawing) => {
      placeBox(x, y, drawing);
      for (const { way, label, piece, x: offset } of columns) {
        const cx = x + offset;
        const busY = y + box.height + FORK;
        const start: readonly Point[] = [
          [x, y + box.height],
          [x, busY],
          [cx, busY],
        ];
        const end: readonly Point[] = [
          [cx, y + joinY],
          [x, y + joinY],
          [x, y + height],
        ];
        if (way.blocks.length === 0) drawing.lines.push(line([...start, ...end], false));
        else {
          drawing.lines.push(line([...start, [cx, y + columnY]], true));
          piece.place(cx, y + columnY, drawing);
          if (fallsThrough(way.blocks)) drawing.lines.push(line([[cx, y + columnY + piece.height], ...end], false));
        }
        drawing.labels.push({ ...label, x: cx - label.width / 2, y: y + labelY + (labelHeight - label.height) / 2 });
      }
    },
  };
}

/** Side by side, around 0. */
function columnsOf(ways: readonly Way[]): Column[] {
  const columns = ways.map((way): Column => {
    const label = labelOf(way.label);
    const piece = listPiece(way.blocks);
    return { way, label, piece, left: Math.max(piece.left, label.width / 2), right: Math.max(piece.right, label.width / 2), x: 0 };
  });
  const straightOn = columns.find(({ way }) => way.blocks.length === 0);
  const ordered = straightOn === undefined ? columns : [straightOn, ...columns.filter((column) => column !== straightOn)];
  ordered.forEach((column, i) => {
    const before = ordered[i - 1];
    if (before !== undefined) column.x = before.x + before.right + COLUMN_GAP + column.left;
  });
  if (straightOn === undefined) {
    const middle = Math.round((ordered[0]!.x + ordered.at(-1)!.x) / 2);
    for (const column of ordered) column.x -= middle;
  }
  return ordered;
}

function boxOf(node: ChartNode): Box {
  if (node.kind === 'exit' || node.kind === 'end') {
    const text = [pillText(node)];
    return {
      node,
      x: 0,
      y: 0,
      width: Math.max(64, even(textWidth(text[0]!, PILL.size, true) + 32)),
      height: PILL.height,
      text,
      details: [],
    };
  }
  const width = CARD.width - CARD.textX - CARD.padX;
  const text = balanced(node.text, width, CARD.textSize, true);
  const details = node.details.flatMap((detail) => wrap(detail, width, CARD.detailSize));
  const height = CARD.padY * 2 + CARD.caption + text.length * CARD.text + details.length * CARD.detail;
  return { node, x: 0, y: 0, width: CARD.width, height, text, details };
}

export function pillText({ text, name }: ChartNode): string {
  return name === null ? text : `${text} · ${name}`;
}

function labelOf(text: string): Label {
  const lines = balanced(text, LABEL_WIDTH, LABEL.size);
  const width = even(Math.max(...lines.map((part) => textWidth(part, LABEL.size))) + LABEL.padX * 2);
  return { x: 0, y: 0, width, height: lines.length * LABEL.line + LABEL.padY * 2, text: lines };
}

/** Beside the trigger, to the right of all that stands at its height. */
function asideOf({ facts }: Chart, { boxes, labels, lines }: Drawing): Aside {
  const { pad, gap } = ASIDE;
  const wrapped = facts.map(({ label, text }) => ({ label, text: wrap(text, ASIDE.width - pad * 2, ASIDE.size) }));
  const height = pad * 2 + wrapped.reduce((sum, { text }) => sum + ASIDE.label + text.length * ASIDE.line, 0) + gap * (facts.length - 1);
  const beside = [
    ...[...boxes, ...labels].filter(({ y }) => y < height + 8).map(({ x, width }) => x + width),
    ...lines.flatMap(({ points }) => points.filter(([, y]) => y < height + 8).map(([x]) => x)),
  ];
  return { x: Math.max(...beside) + GAP, y: 0, width: ASIDE.width, height, facts: wrapped };
}

/** Whole halves: lines then lie on whole pixels, and those that lie on each other are as sharp as one. */
function even(width: number): number {
  return Math.ceil(width / 2) * 2;
}

function straight(x: number, from: number, to: number): Line {
  return line(
    [
      [x, from],
      [x, to],
    ],
    true,
  );
}

/** Without points that turn nowhere. */
function line(points: readonly Point[], arrow: boolean): Line {
  const corners = points.filter(([x, y], i) => {
    const before = points[i - 1];
    const after = points[i + 1];
    if (before === undefined || after === undefined) return true;
    return !((before[0] === x && after[0] === x) || (before[1] === y && after[1] === y));
  });
  return { points: corners, arrow };
}
