import type { FileExpressions } from './conditions.ts';
import type { JourneyWorld } from './journeys.ts';
import type { Path } from './source.ts';

/** `09:00` as minutes past midnight. */
export function localTime(text: string, path: Path, world: JourneyWorld, expressions: FileExpressions): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  expectZone('a local time needs a zone', path, world, expressions);
  return 60 * hours + minutes;
}

/** What speaks of local times or days needs a zone for users of whom none is known: else nobody could say when that is. */
export function expectZone(message: string, path: Path, world: JourneyWorld, expressions: FileExpressions): void {
  if (world.settings.timeZone === null)
    expressions.wrong(path, message, 'add `time_zone: Europe/Berlin` (an IANA name) to topology.yaml, for users of whom no zone is known');
}
