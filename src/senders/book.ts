import type { Codec } from '../avro/codec.ts';
import { StateLostError } from '../engine/errors.ts';
import type { Row } from '../engine/stage.ts';
import type { OutRecord } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { decodeRow, encodeRow, type CommandRow, type Withdrawn } from './command-row.ts';
import type { Feedback } from './feedback.ts';
import { LiveCommand } from './live.ts';
import type { SenderObserver } from './observer.ts';
import type { Answer } from './provider.ts';
import { COMMAND_TABLE, indexOps, type UnitRef } from './row-index.ts';
import type { Ending } from './unit-rules.ts';

/** What a commit will write of the commands. */
export interface Pages {
  readonly rows: readonly Row[];
  readonly derived: readonly StoreOp[];
  readonly records: readonly OutRecord[];
}

/**
 * The commands in work, and the records about them that the next commit writes. Every final outcome of a unit goes through `end`, once: that is what makes
 * "exactly one final outcome per (command, device)" and "one $accepted or $undelivered per command" true, together with the row and the records
 * being in one transaction.
 */
export class Book {
  readonly #store: PartitionStore;
  readonly #codec: Codec;
  readonly #feedback: Feedback;
  readonly #observer: SenderObserver;
  readonly #provider: string;
  readonly #live = new Map<string, LiveCommand>();
  #records: OutRecord[] = [];
  #endings: Ending[] = [];
  #waiting = 0;
  /** There is something that a commit should not leave for later. */
  #dirty = false;

  constructor(store: PartitionStore, codec: Codec, feedback: Feedback, observer: SenderObserver, provider: string) {
    this.#store = store;
    this.#codec = codec;
    this.#feedback = feedback;
    this.#observer = observer;
    this.#provider = provider;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  /** Units that wait for their next call, as committed. */
  get waiting(): number {
    return this.#waiting;
  }

  set waiting(count: number) {
    this.#waiting = count;
  }

  get(commandId: string): LiveCommand {
    const live = this.#live.get(commandId);
    if (live === undefined) throw new Error(`command ${commandId} is not in work`);
    return live;
  }

  /** Nothing is unfinished. */
  get isEmpty(): boolean {
    return this.#live.size === 0 && this.#waiting === 0;
  }

  /** Commands in work that have no row yet: no index knows of them. */
  unstored(): readonly LiveCommand[] {
    return [...this.#live.values()].filter((live) => live.stored === null);
  }

  /** Takes a new command in. */
  add(live: LiveCommand): void {
    this.#live.set(live.command.commandId, live);
  }

  write(record: OutRecord): void {
    this.#records.push(record);
    this.#dirty = true;
  }

  /** Those of the ids that are in work or have a row, by id. */
  async find(commandIds: readonly string[]): Promise<ReadonlyMap<string, LiveCommand>> {
    const found = new Map<string, LiveCommand>();
    const missing: string[] = [];
    for (const id of new Set(commandIds)) {
      const live = this.#live.get(id);
      if (live === undefined) missing.push(id);
      else found.set(id, live);
    }
    const keys = missing.map((id) => Buffer.from(id));
    const values = missing.length === 0 ? [] : await this.#store.getMany(COMMAND_TABLE, keys);
    const rows = missing.flatMap((id, i) => (values[i] ? [{ id, row: decodeRow(values[i]) }] : []));
    if (rows.length > 0) await this.#codec.prepare(rows.map(({ row }) => row.command));
    for (const { id, row } of rows) found.set(id, this.#restore(id, row));
    return found;
  }

  claim(ref: UnitRef): void {
    const live = this.get(ref.commandId);
    live.change(ref.index, { state: 'claimed', attempt: live.unit(ref.index).attempt + 1, dueMs: 0 });
    this.#dirty = true;
  }

  calling(ref: UnitRef): void {
    const live = this.get(ref.commandId);
    live.change(ref.index, { state: 'calling', attempt: live.unit(ref.index).attempt + 1, dueMs: 0 });
  }

  /** Back to what it was before a call that did not count. */
  ready(ref: UnitRef): void {
    const live = this.get(ref.commandId);
    live.change(ref.index, { state: 'ready', attempt: live.unit(ref.index).attempt - 1 });
    this.#dirty = true;
  }

  wait(ref: UnitRef, dueMs: number, doubt: boolean): void {
    this.get(ref.commandId).change(ref.index, { state: 'waiting', dueMs, doubt });
    this.#dirty = true;
  }

  due(ref: UnitRef): void {
    this.get(ref.commandId).change(ref.index, { state: 'ready', dueMs: 0 });
    // Committed soon, so that the index no longer says that it is due.
    this.#dirty = true;
  }

  /** Its call is in flight and cannot be taken back; but it shall be the last. */
  withdraw(ref: UnitRef, reason: Withdrawn): void {
    this.get(ref.commandId).change(ref.index, { withdrawn: reason });
    this.#dirty = true;
  }

  /** An answer that does not end its unit. */
  tell(ref: UnitRef, answer: Answer, atMs: number): void {
    const live = this.get(ref.commandId);
    const { attempt } = live.unit(ref.index);
    const { class: answerClass, code } = answer;
    const outcome = { device: live.device(ref.index), class: answerClass, code, final: false, attempt, providerMessageId: null, atMs };
    this.write(this.#feedback.outcome(live.command, outcome));
  }

  /** The unit's one final outcome. */
  end(
    ref: UnitRef,
    ending: Ending,
    at: { readonly nowMs: number; readonly sentAtMs?: number; readonly providerMessageId?: string | undefined },
  ): void {
    const live = this.get(ref.commandId);
    const unit = live.unit(ref.index);
    if (unit.state === 'final') throw new Error(`command ${ref.commandId}: device ${ref.index} has its final outcome`);
    const device = live.device(ref.index);
    const { command } = live;
    const { class: finalClass, code } = ending;
    const providerMessageId = at.providerMessageId ?? null;
    const outcome = { device, class: finalClass, code, final: true, attempt: unit.attempt, providerMessageId, atMs: at.nowMs };
    this.write(this.#feedback.outcome(command, outcome));
    this.#endings.push(ending);
    live.change(ref.index, { state: 'final', dueMs: 0 });
    const accepted = finalClass === 'ok';
    if (accepted && !live.row.accepted) this.write(this.#feedback.accepted(command, device.deviceId, code ?? 'ok', at.nowMs));
    if (finalClass === 'device')
      this.write(this.#feedback.unreachable(command, device, code ?? 'device', at.sentAtMs ?? at.nowMs, at.nowMs));
    const unknown = finalClass === 'unknown' || (unit.doubt && !accepted);
    live.row = { ...live.row, accepted: live.row.accepted || accepted, unknown: live.row.unknown || unknown };
    if (!live.isFinished || live.row.accepted) return;
    const reason = live.row.unknown ? 'unknown' : OWN_REASONS.has(finalClass) ? finalClass : (code ?? finalClass);
    this.write(this.#feedback.undelivered(command, reason, at.nowMs));
  }

  /** A command without devices has one outcome, of its own. */
  endWithoutDevices(live: LiveCommand, nowMs: number): void {
    const ending: Ending = { class: 'drop', code: 'no_device' };
    const outcome = { ...ending, device: null, final: true, attempt: 0, providerMessageId: null, atMs: nowMs };
    this.write(this.#feedback.outcome(live.command, outcome));
    this.write(this.#feedback.undelivered(live.command, 'no_device', nowMs));
    this.#endings.push(ending);
  }

  /** Everything that the next commit has to write. A command whose call is in flight gets its row: the position may pass it. */
  pages(): Pages {
    const rows: Row[] = [];
    const derived: StoreOp[] = [];
    for (const [id, live] of this.#live) {
      const next = live.isFinished ? null : live.row;
      if (live.row === live.stored || (next === null && live.stored === null)) continue;
      rows.push({ key: Buffer.from(id), value: next && encodeRow(next) });
      derived.push(...indexOps(id, live.stored, next));
    }
    return { rows, derived, records: this.#records };
  }

  /** The pages are committed. */
  committed(): void {
    for (const [id, live] of this.#live) {
      this.#waiting += (live.isFinished ? 0 : live.waiting) - live.storedWaiting;
      live.stored = live.isFinished ? null : live.row;
      if (live.isFinished || live.isIdle) this.#live.delete(id);
    }
    for (const { class: endClass, code } of this.#endings) this.#observer.outcome(this.#provider, endClass, code);
    this.#records = [];
    this.#endings = [];
    this.#dirty = false;
  }

  #restore(commandId: string, row: CommandRow): LiveCommand {
    const decoded = this.#codec.decode(row.command);
    if (decoded.record !== 'lull.v1.SendCommand') throw new StateLostError(`the row of command ${commandId} holds a ${decoded.record}`);
    const live = new LiveCommand(decoded.value, row, row);
    this.#live.set(commandId, live);
    return live;
  }
}

/** Where the sender itself is the reason, and not what a provider said. */
const OWN_REASONS: ReadonlySet<string> = new Set(['expired', 'revoked', 'superseded']);
