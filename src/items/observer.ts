/** What the items tell whoever watches: metrics, logs, tests. Called after the commit that made it true. Labels are bounded; no personal data. */
export interface ItemsObserver {
  /** A change that everybody who is interested was told of; seconds since it was appended. */
  changed(type: string, seconds: number): void;
  /** Events that were written to the timeline. */
  told(type: string, count: number): void;
  /** Interest that began, was prolonged or ended by itself. */
  interests(count: number): void;
  /** Interest that was over, and is deleted. */
  expired(count: number): void;
  deadLetter(reason: string): void;
  /** Records whose key belongs to another partition. */
  wrongPartition(count: number): void;
}

const nothing = (): void => undefined;

/** The null twin. */
export const silentItemsObserver: ItemsObserver = {
  changed: nothing,
  told: nothing,
  interests: nothing,
  expired: nothing,
  deadLetter: nothing,
  wrongPartition: nothing,
};
