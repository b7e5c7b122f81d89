import { setTimeout as sleep } from 'node:timers/promises';
import type { Processor } from '../deployment.ts';
import { OracleError } from '../row.ts';
import { lastLines } from '../shop.ts';

export type Role = 'processor' | 'sender';

/** A place for one process at a time. A steady one is never ended before the soak is: a leak needs somebody who lives long enough to show it. */
export class Slot {
  readonly role: Role;
  readonly name: string;
  readonly isSteady: boolean;
  readonly #start: () => Processor;
  #process: Processor;
  #mayEnd = false;

  constructor(role: Role, name: string, isSteady: boolean, start: () => Processor) {
    this.role = role;
    this.name = name;
    this.isSteady = isSteady;
    this.#start = start;
    this.#process = start();
  }

  get process(): Processor {
    return this.#process;
  }

  /** Ends it this way, and has another in its place some time later. */
  async replace(how: 'kill' | 'stop', pauseMs: number, meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    this.#mayEnd = true;
    await this.#process[how]();
    await meanwhile();
    await sleep(pauseMs);
    this.#process = this.#start();
    this.#mayEnd = false;
  }

  async freeze(ms: number): Promise<void> {
    this.#process.freeze();
    await sleep(ms);
    this.#process.thaw();
  }

  /** @throws OracleError where it has ended, and nobody asked it to */
  expectAlive(): void {
    const ended = this.#process.ended();
    if (ended !== undefined && !this.#mayEnd)
      throw new OracleError('O5', `${this.name} ended with ${ended}, and nobody asked it to:\n${lastLines(this.#process)}`);
  }

  /** For good. */
  async stop(): Promise<void> {
    this.#mayEnd = true;
    const code = await this.#process.stop();
    if (code !== 0) throw new OracleError('O5', `${this.name} ended with ${code} instead of stopping:\n${lastLines(this.#process)}`);
  }
}
