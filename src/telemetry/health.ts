/** One thing that a process needs in order to do its work. */
export interface HealthCheck {
  readonly name: string;
  /** A few words for whoever looks, when it is not as it should be; undefined when it is. Cheap, and does not throw. */
  readonly problem: () => string | undefined;
}

export interface HealthReport {
  readonly isGood: boolean;
  /** By the name of the check; empty when all is good. */
  readonly problems: Readonly<Record<string, string>>;
}

/**
 * Live: the process can go on; otherwise restart it. Ready: it does its work now (its partitions are restored, the broker answers). Not being ready is
 * normal while starting and restoring, and no reason to restart.
 */
export class Health {
  readonly #live: HealthCheck[] = [];
  readonly #ready: HealthCheck[] = [];
  #hasStarted = false;

  /** Checks that say no from the start on are what `ready` waits for; a process without a `started()` is not ready. */
  started(): void {
    this.#hasStarted = true;
  }

  addLive(check: HealthCheck): void {
    this.#live.push(check);
  }

  addReady(check: HealthCheck): void {
    this.#ready.push(check);
  }

  live(): HealthReport {
    return report(this.#live);
  }

  ready(): HealthReport {
    const starting: HealthCheck = { name: 'start', problem: () => (this.#hasStarted ? undefined : 'starting') };
    return report([starting, ...this.#live, ...this.#ready]);
  }
}

function report(checks: readonly HealthCheck[]): HealthReport {
  const problems = Object.fromEntries(
    checks.flatMap(({ name, problem }) => {
      const found = problem();
      return found === undefined ? [] : [[name, found]];
    }),
  );
  return { isGood: Object.keys(problems).length === 0, problems };
}
