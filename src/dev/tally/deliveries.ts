/**
 * Follows each command to its end. A command is accepted with the first device that took it, and undelivered when every device has a final answer
 * and none took it: for the reason of the last one. Commands and outcomes are read from different topics, so either may come first.
 */
export interface DeviceOutcome {
  readonly commandId: string;
  /** null: the whole command ended without any call (revoked, expired, nobody to call). */
  readonly deviceId: string | null;
  /** Nothing follows for this device. What is not final (a retry) changes nothing here. */
  readonly final: boolean;
  readonly accepted: boolean;
  readonly reason: string;
}

export type DeliveryState = { readonly state: 'waiting' | 'accepted' | 'undelivered'; readonly reason: string | null };

interface Pending {
  /** Those without a final answer; null until the command itself was read. */
  open: Set<string> | null;
  early: DeviceOutcome[];
  accepted: boolean;
}

/** Outcomes without a command are kept for this many commands: an older one has aged out of the topic. */
const EARLY_CAP = 10_000;

export class Deliveries {
  #commands = 0;
  #accepted = 0;
  readonly #undelivered = new Map<string, number>();
  readonly #pending = new Map<string, Pending>();
  readonly #early = new Set<string>();
  readonly #onState: (commandId: string, state: DeliveryState) => void;

  constructor(onState: (commandId: string, state: DeliveryState) => void) {
    this.#onState = onState;
  }

  get commands(): number {
    return this.#commands;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get undelivered(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#undelivered);
  }

  /** Commands of which some device has no final answer yet. */
  get unfinished(): number {
    return this.#pending.size - this.#early.size;
  }

  command(commandId: string, deviceIds: readonly string[]): void {
    this.#commands++;
    const known = this.#pending.get(commandId);
    const pending: Pending = { open: new Set(deviceIds), early: [], accepted: false };
    this.#pending.set(commandId, pending);
    this.#early.delete(commandId);
    for (const outcome of known?.early ?? []) this.outcome(outcome);
  }

  outcome(outcome: DeviceOutcome): void {
    if (!outcome.final) return;
    const pending = this.#pending.get(outcome.commandId) ?? this.#remember(outcome.commandId);
    if (pending.open === null) {
      pending.early.push(outcome);
      return;
    }
    if (outcome.deviceId === null) pending.open.clear();
    else pending.open.delete(outcome.deviceId);

    if (outcome.accepted && !pending.accepted) {
      pending.accepted = true;
      this.#accepted++;
      this.#onState(outcome.commandId, { state: 'accepted', reason: null });
    }
    if (pending.open.size > 0) return;
    this.#pending.delete(outcome.commandId);
    if (pending.accepted) return;
    this.#undelivered.set(outcome.reason, (this.#undelivered.get(outcome.reason) ?? 0) + 1);
    this.#onState(outcome.commandId, { state: 'undelivered', reason: outcome.reason });
  }

  #remember(commandId: string): Pending {
    const pending: Pending = { open: null, early: [], accepted: false };
    this.#pending.set(commandId, pending);
    this.#early.add(commandId);
    if (this.#early.size > EARLY_CAP) {
      const [oldest] = this.#early;
      this.#early.delete(oldest!);
      this.#pending.delete(oldest!);
    }
    return pending;
  }
}
