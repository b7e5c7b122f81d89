import type { Done } from './chaos.ts';
import type { Sample, Vitals } from './samples.ts';

export interface PlotOptions {
  readonly title: string;
  /** Under the title. */
  readonly lines: readonly string[];
  readonly samples: readonly Sample[];
  readonly faults: readonly Done[];
}

interface Series {
  readonly name: string;
  readonly colour: string;
  /** [seconds, value]; undefined breaks the line. */
  readonly points: readonly (readonly [number, number | undefined])[];
}

interface Panel {
  readonly label: string;
  readonly series: readonly Series[];
}

const WIDTH = 960;
const LEFT = 64;
const RIGHT = 16;
const PANEL = 170;
const GAP = 44;
const HEAD = 84;
const COLOURS = ['#0b6bcb', '#59a5f0', '#c2410c', '#f29f67', '#5b21b6', '#a78bfa'] as const;
const INK = '#1f2328';
const FAINT = '#d0d7de';
const FAULT = '#f5c2c7';

/** Memory, descriptors and lag over one axis of time; faults lie behind them. A page of its own, without scripts or fonts from elsewhere. */
export function soakPlot({ title, lines, samples, faults }: PlotOptions): string {
  const panels = panelsOf(samples);
  const untilS = Math.max(1, samples.at(-1)?.atS ?? 1);
  const height = HEAD + 16 * lines.length + panels.length * (PANEL + GAP) + 24;
  const x = (seconds: number): number => LEFT + (seconds / untilS) * (WIDTH - LEFT - RIGHT);
  const parts = [
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(LEFT, 28, title, { size: 18, weight: 600 }),
    ...lines.map((line, i) => text(LEFT, 50 + 16 * i, line, { size: 12 })),
  ];
  panels.forEach((panel, i) => parts.push(...drawPanel(panel, HEAD + 16 * lines.length + i * (PANEL + GAP), x, untilS, faults)));
  parts.push(text(WIDTH - RIGHT, height - 10, 'minutes since the start of the load; red: a fault', { size: 12, anchor: 'end' }));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" role="img">\n<title>${escaped(title)}</title>\n${parts.join('\n')}\n</svg>\n`;
}

function panelsOf(samples: readonly Sample[]): readonly Panel[] {
  const names = [...new Set(samples.flatMap(({ processes }) => processes.map(({ name }) => name)))].sort();
  const each = (of: (vitals: Vitals) => number | undefined): Series[] =>
    names.map((name, i) => ({
      ...{ name, colour: COLOURS[i % COLOURS.length]! },
      points: lineOf(samples, name, of),
    }));
  const lag = (role: 'processor' | 'sender', name: string, colour: string): Series => ({
    ...{ name, colour },
    points: samples.map(({ atS, lag: lags }) => [atS, lags[role]] as const),
  });
  return [
    { label: 'resident memory, MiB', series: each(({ residentMiB }) => residentMiB) },
    { label: 'heap in use, MiB', series: each(({ heapMiB }) => heapMiB) },
    { label: 'open descriptors', series: each(({ descriptors }) => descriptors) },
    {
      label: 'lag, records',
      series: [lag('processor', 'processors: timeline', COLOURS[0]), lag('sender', 'senders: dispatch', COLOURS[2])],
    },
  ];
}

/** A new life is a new line. */
function lineOf(samples: readonly Sample[], name: string, of: (vitals: Vitals) => number | undefined): Series['points'] {
  let pid: number | undefined;
  return samples.flatMap(({ atS, processes }) => {
    const vitals = processes.find((process) => process.name === name);
    const point = [atS, vitals && of(vitals)] as const;
    const isNew = pid !== undefined && vitals !== undefined && vitals.pid !== pid;
    pid = vitals?.pid ?? pid;
    return isNew ? [[atS, undefined] as const, point] : [point];
  });
}

function drawPanel({ label, series }: Panel, top: number, x: (s: number) => number, untilS: number, faults: readonly Done[]): string[] {
  const values = series.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []));
  const step = niceStep(Math.max(1, ...values) / 4);
  const most = step * Math.ceil(Math.max(1, ...values) / step);
  const bottom = top + PANEL;
  const y = (value: number): number => bottom - (value / most) * PANEL;
  const right = WIDTH - RIGHT;
  const parts: string[] = [];
  for (const { name, fromS, untilS: endS } of faults) {
    const width = Math.max(1.5, x(endS) - x(fromS));
    parts.push(
      `<rect x="${n(x(fromS))}" y="${top}" width="${n(width)}" height="${PANEL}" fill="${FAULT}"><title>${escaped(name)}</title></rect>`,
    );
  }
  for (let value = 0; value <= most; value += step) {
    parts.push(`<path d="M${LEFT} ${n(y(value))}H${right}" stroke="${FAINT}"/>`);
    parts.push(text(LEFT - 6, y(value) + 4, value.toLocaleString('en'), { size: 11, anchor: 'end' }));
  }
  const everyS = 60 * Math.max(1, Math.ceil(untilS / 60 / 12));
  for (let seconds = 0; seconds <= untilS; seconds += everyS)
    parts.push(text(x(seconds), bottom + 15, String(seconds / 60), { size: 11, anchor: 'middle' }));
  for (const { colour, points } of series)
    parts.push(`<path d="${path(points, x, y)}" fill="none" stroke="${colour}" stroke-width="1.3"/>`);
  parts.push(text(LEFT, top - 7, label, { size: 13, weight: 600 }));
  let at = right;
  for (const { name, colour } of [...series].reverse()) {
    at -= 7 * name.length + 22;
    parts.push(`<path d="M${at} ${top - 11}h14" stroke="${colour}" stroke-width="3"/>`, text(at + 18, top - 7, name, { size: 11 }));
  }
  return parts;
}

function path(points: Series['points'], x: (s: number) => number, y: (value: number) => number): string {
  let isDown = false;
  return points
    .map(([atS, value]) => {
      if (value === undefined) {
        isDown = false;
        return '';
      }
      const command = isDown ? 'L' : 'M';
      isDown = true;
      return `${command}${n(x(atS))} ${n(y(value))}`;
    })
    .join('');
}

/** 1, 2 or 5 times a power of ten, at least so much. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
}

function text(
  x: number,
  y: number,
  content: string,
  {
    size,
    weight = 400,
    anchor = 'start',
  }: { readonly size: number; readonly weight?: number; readonly anchor?: 'start' | 'middle' | 'end' },
): string {
  return `<text x="${n(x)}" y="${n(y)}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${INK}">${escaped(content)}</text>`;
}

const n = (value: number): string => String(Math.round(value * 10) / 10);

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
