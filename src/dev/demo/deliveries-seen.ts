const REMEMBERED = 100_000;

/**
 * What a local push service saw of each (command, device): the only place that can tell whether something was POSTed twice. A second POST is a
 * duplicate unless the one before it was refused, which proves that nothing was delivered. Remembers the latest 100,000.
 */
export class DeliveriesSeen {
  readonly #seen = new Map<string, 'maybe' | 'refused'>();
  #duplicates = 0;

  get duplicates(): number {
    return this.#duplicates;
  }

  /** Before the answer: whatever becomes of the connection, it may have been delivered from now on. */
  posted(commandId: string, deviceId: string): void {
    const unit = JSON.stringify([commandId, deviceId]);
    if (this.#seen.get(unit) === 'maybe') this.#duplicates++;
    this.#seen.delete(unit);
    this.#seen.set(unit, 'maybe');
    if (this.#seen.size <= REMEMBERED) return;
    const [oldest] = this.#seen.keys();
    this.#seen.delete(oldest!);
  }

  /** The answer said that it was not delivered, and never will be by this POST. */
  refused(commandId: string, deviceId: string): void {
    this.#seen.set(JSON.stringify([commandId, deviceId]), 'refused');
  }
}
