import type { Codec } from '../avro/codec.ts';
import { PoisonError } from '../avro/errors.ts';
import type { SendCommand } from '../core/output.ts';
import type { Clock } from '../engine/stage.ts';
import type { LogRecord } from '../log/port.ts';
import type { PartitionStore } from '../store/port.ts';
import type { Batch, Entry } from './batch.ts';
import type { Book } from './book.ts';
import type { Calls } from './calls.ts';
import { newRow, type Withdrawn } from './command-row.ts';
import { LiveCommand } from './live.ts';
import { collapseHash, dueUnits, olderUnits, openUnits, type UnitRef } from './row-index.ts';
import { reasonNotToCall } from './unit-rules.ts';
import type { Withdrawals } from './withdrawals.ts';

export interface AdmissionOptions {
  readonly book: Book;
  readonly calls: Calls;
  readonly withdrawals: Withdrawals;
  readonly codec: Codec;
  readonly store: PartitionStore;
  readonly clock: Clock;
  readonly refuse: (record: LogRecord, reason: string, detail: string) => void;
}

/** Units read from an index at once. */
const CHUNK = 500;
/** Older commands with one collapse key that can be unfinished at the same time; each newer one ends the one before. */
const OLDER = 64;

/**
 * Decides which units are called, and when: everything that says "not any more" is asked last before a claim. Units go from the due index, from a restart's
 * leftovers and from the batch through one queue.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #ready: UnitRef[] = [];
  /** Claimed with the next commit, called behind it. */
  #claimed: UnitRef[] = [];
  /** Commands of the batch that have a row already: somebody wrote the record twice. */
  #known = new Set<string>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  get claims(): number {
    return this.#claimed.length;
  }

  /** A claim without an outcome may have been called: it becomes `unknown`, never a call. What was not claimed is called. */
  async settleLeftovers(flush: () => Promise<void>): Promise<void> {
    const { book, store, clock } = this.#options;
    let last: UnitRef | null = null;
    for (;;) {
      const refs: readonly UnitRef[] = await openUnits(store, last, CHUNK);
      await book.find(refs.map((ref) => ref.commandId));
      for (const ref of refs) {
        const live = book.get(ref.commandId);
        const { state, doubt } = live.unit(ref.index);
        if (state === 'claimed') book.end(ref, { class: 'unknown', code: 'no_answer' }, { nowMs: clock.nowMs() });
        else {
          // What was in flight may have arrived: taken back or expired since, nobody may say that it was never sent.
          live.change(ref.index, { state: 'ready', doubt: doubt || state === 'calling' });
          this.#ready.push(ref);
        }
      }
      if (book.dirty) await flush();
      last = refs.at(-1) ?? null;
      if (refs.length < CHUNK) return;
    }
  }

  /** Revocations and newer collapse keys of the batch, against everything unfinished. Called before anything of the batch is admitted. */
  async overtake(batch: Batch): Promise<void> {
    const { book, withdrawals } = this.#options;
    withdrawals.begin(batch.entries);
    const own = batch.entries.filter((entry) => entry.kind === 'command' || entry.kind === 'revocation');
    const found = await book.find(own.map((entry) => entry.header.commandId));
    this.#known = new Set(
      own.filter((entry) => entry.kind === 'command' && found.has(entry.header.commandId)).map((entry) => entry.header.commandId),
    );
    for (const entry of own) {
      if (entry.kind === 'command') {
        await this.#supersedeOlder(entry);
        continue;
      }
      const live = found.get(entry.header.commandId);
      if (live !== undefined) for (const index of live.row.units.keys()) this.#withdraw(live, index, 'revoked');
    }
  }

  /** Waiting units whose time has come. */
  async admitDue(nowMs: number): Promise<void> {
    const { book, calls, store } = this.#options;
    const room = calls.free - this.#claimed.length - this.#ready.length;
    if (room <= 0) return;
    const refs = await dueUnits(store, nowMs, room);
    await book.find(refs.map((ref) => ref.commandId));
    for (const ref of refs) {
      if (book.get(ref.commandId).unit(ref.index).state !== 'waiting') continue;
      book.due(ref);
      this.#ready.push(ref);
    }
  }

  async admitEntry(entry: Entry, position: number): Promise<void> {
    const { book, clock, refuse } = this.#options;
    if (entry.kind === 'refused') refuse(entry.record, entry.reason, entry.detail);
    if (entry.kind !== 'command' || this.#known.has(entry.header.commandId)) return;
    const command = await this.#decode(entry);
    if (command === undefined) return;
    this.#known.add(command.commandId);
    const { userId, header, record } = entry;
    const row = newRow({ ...header, userId, offset: record.offset }, record.value ?? Buffer.alloc(0));
    const live = new LiveCommand(command, row, null);
    if (command.devices.length === 0) {
      book.endWithoutDevices(live, clock.nowMs());
      return;
    }
    book.add(live);
    for (const index of command.devices.keys()) this.#ready.push({ commandId: command.commandId, index });
    await this.admitReady(position);
  }

  async admitReady(position: number): Promise<void> {
    const { book, calls, withdrawals, clock } = this.#options;
    while (calls.free > this.#claimed.length) {
      const ref = this.#ready.shift();
      if (ref === undefined) return;
      const live = book.get(ref.commandId);
      const unit = live.unit(ref.index);
      if (unit.state !== 'ready') continue;
      const { offset, userId, collapseKey } = live.row;
      const withdrawn = await withdrawals.of({ commandId: ref.commandId, offset, userId, collapseKey }, unit.deviceId, position);
      const nowMs = clock.nowMs();
      const ending = reasonNotToCall(live.command, unit, withdrawn, nowMs);
      if (ending !== null) book.end(ref, ending, { nowMs });
      else if (live.command.promise === 'at_most_once') {
        book.claim(ref);
        this.#claimed.push(ref);
      } else {
        book.calling(ref);
        this.#call(ref);
      }
    }
  }

  /** The claims are committed: now, and not before, they are called. */
  startClaimed(): void {
    const claimed = this.#claimed;
    this.#claimed = [];
    for (const ref of claimed) this.#call(ref);
  }

  #call(ref: UnitRef): void {
    const { book, calls } = this.#options;
    const live = book.get(ref.commandId);
    calls.start(ref, live.command, live.device(ref.index), live.unit(ref.index).attempt);
  }

  async #supersedeOlder(entry: Extract<Entry, { readonly kind: 'command' }>): Promise<void> {
    const { book, store } = this.#options;
    const { collapseKey, deviceIds } = entry.header;
    if (collapseKey === null || book.isEmpty) return;
    for (const live of book.unstored())
      if (live.row.userId === entry.userId && live.row.collapseKey === collapseKey)
        for (const [index, unit] of live.row.units.entries())
          if (deviceIds.includes(unit.deviceId)) this.#withdraw(live, index, 'superseded');
    for (const deviceId of deviceIds) {
      const refs = await olderUnits(store, collapseHash(entry.userId, deviceId, collapseKey), entry.record.offset, OLDER);
      const found = await book.find(refs.map((ref) => ref.commandId));
      for (const ref of refs) {
        const live = found.get(ref.commandId);
        if (live !== undefined) this.#withdraw(live, ref.index, 'superseded');
      }
    }
  }

  #withdraw(live: LiveCommand, index: number, reason: Withdrawn): void {
    const { book, clock } = this.#options;
    const ref = { commandId: live.command.commandId, index };
    const unit = live.unit(index);
    if (unit.state === 'final' || unit.withdrawn !== null) return;
    if (unit.state === 'claimed' || unit.state === 'calling') book.withdraw(ref, reason);
    else book.end(ref, { class: unit.doubt ? 'unknown' : reason, code: null }, { nowMs: clock.nowMs() });
  }

  /** undefined where it was refused. */
  async #decode(entry: Extract<Entry, { readonly kind: 'command' }>): Promise<SendCommand | undefined> {
    const { codec, refuse } = this.#options;
    const { record } = entry;
    if (record.value === null) {
      refuse(record, 'null_value', 'a command without a value');
      return undefined;
    }
    await codec.prepare([record.value]);
    try {
      const decoded = codec.decode(record.value);
      if (decoded.record !== 'lull.v1.SendCommand') refuse(record, 'unexpected_schema', `${decoded.record} is no send command`);
      else if (!agree(entry, decoded.value)) refuse(record, 'dispatch_headers', 'headers and key do not say what the command says');
      else return decoded.value;
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      refuse(record, error.reason, error.message);
    }
    return undefined;
  }
}

/** Revocations and newer messages go by the headers alone: they have to be right. */
function agree({ header, userId }: Extract<Entry, { readonly kind: 'command' }>, command: SendCommand): boolean {
  const { commandId, collapseKey, deviceIds } = header;
  if (command.commandId !== commandId || command.userId !== userId || command.collapseKey !== collapseKey) return false;
  return command.devices.length === deviceIds.length && command.devices.every((device, index) => device.deviceId === deviceIds[index]);
}
