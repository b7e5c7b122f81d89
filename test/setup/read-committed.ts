import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafkaJars } from '../../src/dev/stack/stack.ts';
import { bootstrap } from './env.ts';

export interface JudgedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface Judged {
  readonly records: readonly JudgedRecord[];
  /** False while a transaction dangles: the read_committed end is behind the read_uncommitted one. */
  readonly isStable: boolean;
}

/** A topic as Kafka's own Java consumer sees it under read_committed. */
export async function readCommitted(topic: string): Promise<Judged> {
  const source = join(import.meta.dirname, '../tools/ReadCommitted.java');
  const args = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', join(await kafkaJars(), '*'), source, bootstrap(), topic];
  const { stdout } = await promisify(execFile)('java', args, { maxBuffer: 256 * 1024 ** 2, timeout: 60_000 });
  const lines = stdout.trimEnd().split('\n');
  const [, committed, uncommitted] = lines.pop()?.split('\t') ?? [];
  return { records: lines.map(parseLine), isStable: committed === uncommitted };
}

function parseLine(line: string): JudgedRecord {
  const [partition, offset, key, value, headers = ''] = line.split('\t');
  const bytes = (text: string | undefined): Buffer | null => (text === undefined || text === '-' ? null : Buffer.from(text, 'base64'));
  const pairs =
    headers === '' ? [] : headers.split(',').map((header) => [header.slice(0, header.indexOf('=')), header.slice(header.indexOf('=') + 1)]);
  return {
    partition: Number(partition),
    offset: Number(offset),
    key: bytes(key),
    value: bytes(value),
    headers: Object.fromEntries(pairs.map(([name, text]) => [name ?? '', bytes(text) ?? Buffer.alloc(0)])),
  };
}
