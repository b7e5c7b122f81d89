/** What `lull dev` was asked for. */
export interface DemoOptions {
  /** Traffic ends this long after the first event; null: it goes on until somebody stops it. */
  readonly forMs: number | null;
  readonly seed: string;
  readonly shoppers: number;
  /** Of the page; 0: the system chooses. */
  readonly port: number;
  /** Opens a prepared Firefox. */
  readonly browser: boolean;
  /** Now and then a record that nobody can read. */
  readonly poison: boolean;
  /** `name=value` for the topology's params, after the demo's own short ones: the last one counts. */
  readonly set: readonly string[];
}

/** A minute shows what takes a day: the same topology, with the durations of somebody who watches. */
export const SHORT_PARAMS: readonly string[] = [
  'sessionGap=6s',
  'activeFor=2s',
  'cartWait=8s',
  'checkoutWait=5s',
  'browseDelay=3s',
  'dailyCap=2',
  'capWindow=30s',
  'nudgeEvery=20s',
];
