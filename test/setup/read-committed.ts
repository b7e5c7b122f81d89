import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { kafkaJars } from '../../src/dev/stack/stack.ts';
import { bootstrap } from './env.ts';

export interface JudgedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface Judged {
  /** In the order of offsets within a partition. */
  readonly records: readonly JudgedRecord[];
  /** False while a transaction dangles: the read_committed end is behind the read_uncommitted one. */
  readonly isStable: boolean;
}

/** A topic as Kafka's own Java consumer sees it under read_committed. */
export async function readCommitted(topic: string, at: string = bootstrap()): Promise<Judged> {
  const judged = (await readAllCommitted([topic], at)).get(topic);
  if (judged === undefined) throw new Error(`the Java reader said nothing of ${topic}`);
  return judged;
}

/** Several topics, with one start of Java. */
export async function readAllCommitted(topics: readonly string[], at: string = bootstrap()): Promise<ReadonlyMap<string, Judged>> {
  const source = join(import.meta.dirname, '../tools/ReadCommitted.java');
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
  const args = [...flags, '-cp', join(await kafkaJars(), '*'), source, at, ...topics];
  const java = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => java.on('close', (code, signal) => resolve(code ?? signal ?? -1)));
  let stderr = '';
  java.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const records = new Map<string, JudgedRecord[]>(topics.map((topic) => [topic, []]));
  const judged = new Map<string, Judged>();
  // Line by line: all of it may be more than a string can hold.
  for await (const line of createInterface({ input: java.stdout })) {
    const [first = '', ...rest] = line.split('\t');
    if (first !== 'end') records.get(first)?.push(parseRecord(rest));
    else {
      const [topic = '', committed, uncommitted] = rest;
      judged.set(topic, { records: records.get(topic) ?? [], isStable: committed === uncommitted });
    }
  }
  const code = await ended;
  if (code !== 0) throw new Error(`the Java reader ended with ${code}: ${stderr.slice(-2_000)}`);
  return judged;
}

function parseRecord(fields: readonly string[]): JudgedRecord {
  const [partition, offset, timestampMs, key, value, headers = ''] = fields;
  const bytes = (text: string | undefined): Buffer | null => (text === undefined || text === '-' ? null : Buffer.from(text, 'base64'));
  const pairs =
    headers === '' ? [] : headers.split(',').map((header) => [header.slice(0, header.indexOf('=')), header.slice(header.indexOf('=') + 1)]);
  return {
    partition: Number(partition),
    offset: Number(offset),
    timestampMs: Number(timestampMs),
    key: bytes(key),
    value: bytes(value),
    headers: Object.fromEntries(pairs.map(([name, text]) => [name ?? '', bytes(text) ?? Buffer.alloc(0)])),
  };
}
