import type { FileExpressions } from './conditions.ts';
import type { JourneyFile } from './files.ts';
import type { JourneyWorld, KeyCheck, PatternUse } from './journeys.ts';
import type { Loaded } from './load.ts';
import type { Matchers } from './matchers.ts';

/** What the steps of one journey are compiled with. */
export interface StepContext {
  readonly loaded: Loaded<JourneyFile>;
  readonly used: PatternUse;
  readonly world: JourneyWorld;
  readonly expressions: FileExpressions;
  readonly matchers: Matchers;
  readonly keyed: KeyCheck;
}
