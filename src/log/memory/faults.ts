/** A step of the log that a test can make fail. */
export type FaultStep = 'fence' | 'send' | 'sendOffsets' | 'commit' | 'abort' | 'append' | 'fetch';

export interface Fault {
  readonly step: FaultStep;
  /** `before` the step takes effect, or `after` it did: the answer got lost. */
  readonly when: 'before' | 'after';
  readonly error: Error;
  /** Only for this transactional id, or this topic where the step has no id. Default: any. */
  readonly of?: string;
  /** Let this many such steps through first. Default 0. */
  readonly skip?: number;
}

/** Each planned fault happens once. */
export class Faults {
  readonly #planned: { readonly fault: Fault; skip: number }[] = [];

  plan(fault: Fault): void {
    this.#planned.push({ fault, skip: fault.skip ?? 0 });
  }

  run<T>(step: FaultStep, of: string, work: () => T): T {
    const fault = this.#take(step, of);
    if (fault?.when === 'before') throw fault.error;
    const result = work();
    if (fault !== undefined) throw fault.error;
    return result;
  }

  #take(step: FaultStep, of: string): Fault | undefined {
    for (const planned of this.#planned) {
      const { fault } = planned;
      if (fault.step !== step || (fault.of !== undefined && fault.of !== of)) continue;
      if (planned.skip-- > 0) continue;
      this.#planned.splice(this.#planned.indexOf(planned), 1);
      return fault;
    }
    return undefined;
  }
}
