import type { FileExpressions } from './conditions.ts';
import type { JourneyWorld } from './journeys.ts';
import type { Path } from './source.ts';

/** `09:00` as minutes past midnight. That the topology names a zone for users of whom none is known is part of it: else nobody could say when that is. */
export function localTime(text: string, path: Path, world: JourneyWorld, expressions: FileExpressions): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  if (world.settings.timeZone === null)
    expressions.wrong(
      path,
      'a local time needs a zone',
      'add `time_zone: Europe/Berlin` (an IANA name) to topology.yaml, for users of whom no zone is known',
    );
  return 60 * hours + minutes;
}
