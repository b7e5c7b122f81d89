/**
 * Mistakes that tests switch on, to see that their judges notice: `LULL_MUTANT=dedup-dropped`. Each undoes one rule that exactly-once hangs on. Off by default, and
 * said on stderr where it is on. It lives here because the log's writer has one too, and whoever has another may import the log.
 */
const MUTANTS = [
  /** What a transaction has written stays, whatever becomes of the rest of it. */
  'abort-skipped',
  /** An event that was seen before is taken again. */
  'dedup-dropped',
  /** The input's offsets are committed before the output that they stand for, and believed. */
  'offsets-before-output',
  /** The group's offset says where to go on, not the changelog's position row. */
  'position-from-group',
  /** After a commit whose result nobody knows, the same producer does it again. */
  'producer-reused',
  /** The local store has the rows before the log has them. */
  'store-before-commit',
  /** Ticks do not wait for ingest. */
  'tick-not-held',
] as const;

export type Mutant = (typeof MUTANTS)[number];

const active = parse(process.env['LULL_MUTANT']);

export function mutant(name: Mutant): boolean {
  return active === name;
}

function parse(text: string | undefined): Mutant | undefined {
  if (text === undefined || text === '') return undefined;
  const known = MUTANTS.find((name) => name === text);
  if (known === undefined) throw new Error(`LULL_MUTANT: "${text}" is not one of ${MUTANTS.join(', ')}`);
  process.stderr.write(`LULL_MUTANT=${known}: this process does something wrong on purpose\n`);
  return known;
}
