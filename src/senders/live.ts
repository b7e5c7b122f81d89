import type { SendCommand, TargetDevice } from '../core/output.ts';
import { StateLostError } from '../engine/errors.ts';
import { isFinished, isIdle, withUnit, type CommandRow, type Unit } from './command-row.ts';

/** A command in memory: from its record, or its row, until its last unit is final or waits. */
export class LiveCommand {
  readonly command: SendCommand;
  /** As it will be committed. */
  row: CommandRow;
  /** As it was committed last; null where it has no row. */
  stored: CommandRow | null;

  constructor(command: SendCommand, row: CommandRow, stored: CommandRow | null) {
    if (command.devices.length !== row.units.length)
      throw new StateLostError(`command ${command.commandId} has ${command.devices.length} devices, its row ${row.units.length}`);
    this.command = command;
    this.row = row;
    this.stored = stored;
  }

  unit(index: number): Unit {
    const unit = this.row.units[index];
    if (unit === undefined) throw new RangeError(`command ${this.command.commandId} has no device ${index}`);
    return unit;
  }

  device(index: number): TargetDevice {
    const device = this.command.devices[index];
    if (device === undefined) throw new RangeError(`command ${this.command.commandId} has no device ${index}`);
    return device;
  }

  change(index: number, changes: Partial<Unit>): void {
    this.row = withUnit(this.row, index, changes);
  }

  get isFinished(): boolean {
    return isFinished(this.row);
  }

  get isIdle(): boolean {
    return isIdle(this.row);
  }

  get waiting(): number {
    return countWaiting(this.row);
  }

  get storedWaiting(): number {
    return this.stored === null ? 0 : countWaiting(this.stored);
  }
}

function countWaiting(row: CommandRow): number {
  return row.units.filter((unit) => unit.state === 'waiting').length;
}
