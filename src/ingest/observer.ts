/** What ingest tells whoever watches: metrics, logs, tests. Called after the commit that made it true. Labels are bounded; no personal data. */
export interface IngestObserver {
  /** Events that were written to the timeline. */
  ingested(source: string, type: string, count: number): void;
  /** Records that the source does not want. */
  filtered(source: string, count: number): void;
  deadLetter(source: string, reason: string): void;
  /** From a record's time to its commit on the timeline; once per commit, for its oldest. */
  delay(source: string, seconds: number): void;
}

const nothing = (): void => undefined;

/** The null twin. */
export const silentIngestObserver: IngestObserver = { ingested: nothing, filtered: nothing, deadLetter: nothing, delay: nothing };
