/** What else feeds the timeline, from topics of its own: ingest. What is in there is older than the tick that would decide without it. */
export interface Upstream {
  /**
   * Resolves once everything that was there to be ingested when it was called is on the timeline, however long that takes.
   * @throws the signal's reason when it fires; what the log throws
   */
  drained(signal: AbortSignal): Promise<void>;
}
