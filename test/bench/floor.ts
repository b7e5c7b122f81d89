import { join } from 'node:path';
import { Child, goTogether } from './child.ts';
import type { FloorFigures } from './floor-child.ts';

export interface FloorOptions {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly workers: number;
  readonly fetchBytes: number;
}

/** CPU seconds per million events, and events/s, of reading and decoding a topic and nothing else, by as many processes as there are workers. */
export async function measureFloor(options: FloorOptions): Promise<{ readonly eventsPerS: number; readonly cpuSPerMillion: number }> {
  const { bootstrap, topic, partitions, workers, fetchBytes } = options;
  const shares = Array.from({ length: workers }, (_, worker) =>
    Array.from({ length: partitions }, (_, partition) => partition).filter((partition) => partition % workers === worker),
  ).filter((share) => share.length > 0);
  const children = shares.map(
    (share) =>
      new Child(process.execPath, [join(import.meta.dirname, 'floor-child.ts'), bootstrap, topic, share.join(','), String(fetchBytes)]),
  );
  try {
    await goTogether(children);
    await Promise.all(children.map(({ gone }) => gone));
    const figures = children.map(({ lines }) => {
      const line = lines.find((text) => text.startsWith('floor='));
      if (line === undefined) throw new Error('the floor was not measured: its process ended early');
      return JSON.parse(line.slice('floor='.length)) as FloorFigures;
    });
    const records = figures.reduce((sum, figure) => sum + figure.records, 0);
    const cpuS = figures.reduce((sum, figure) => sum + figure.cpuS, 0);
    const seconds = (Math.max(...figures.map(({ lastMs }) => lastMs)) - Math.min(...figures.map(({ firstMs }) => firstMs))) / 1000;
    return { eventsPerS: Math.round(records / seconds), cpuSPerMillion: Number(((cpuS * 1e6) / records).toFixed(2)) };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
