export interface PushServiceStats {
  /** POSTs by status. */
  readonly posts: Readonly<Record<number, number>>;
  /** Messages that a device confirmed. */
  readonly delivered: number;
  /** Accepted POSTs of a (command, device) pair that had one accepted before. Known of virtual subscriptions, which decrypt. */
  readonly duplicates: number;
  readonly subscriptions: number;
  /** Connected, and past the hello: before it, `subscribe()` in a page hangs. */
  readonly browsers: number;
}

/** Pairs remembered for the count of duplicates. */
const MAX_PAIRS = 200_000;

export class Counts {
  readonly #posts = new Map<number, number>();
  readonly #pairs = new Set<string>();
  #delivered = 0;
  #duplicates = 0;

  answered(status: number): void {
    this.#posts.set(status, (this.#posts.get(status) ?? 0) + 1);
  }

  delivered(): void {
    this.#delivered++;
  }

  /** A virtual device decrypted a message: Lull's payload names command and device. */
  received(payload: unknown): void {
    const pair = pairOf(payload);
    if (pair === undefined) return;
    if (this.#pairs.has(pair)) this.#duplicates++;
    this.#pairs.add(pair);
    const [oldest] = this.#pairs;
    if (this.#pairs.size > MAX_PAIRS && oldest !== undefined) this.#pairs.delete(oldest);
  }

  stats(now: Pick<PushServiceStats, 'subscriptions' | 'browsers'>): PushServiceStats {
    return { posts: Object.fromEntries(this.#posts), delivered: this.#delivered, duplicates: this.#duplicates, ...now };
  }
}

function pairOf(payload: unknown): string | undefined {
  const notification = member(payload, 'notification');
  const data = member(notification, 'data') ?? member(payload, 'data');
  const commandId = member(data, 'commandId');
  const deviceId = member(data, 'deviceId');
  return typeof commandId === 'string' && typeof deviceId === 'string' ? `${commandId}/${deviceId}` : undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
