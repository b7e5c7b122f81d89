import type { WhileActive } from '../core/journey.ts';
import { durationMs } from './duration.ts';
import type { SendForm } from './files.ts';
import type { Issue } from './issue.ts';
import type { Settings } from './settings.ts';
import type { Path, Source } from './source.ts';
import { didYouMean } from './suggest.ts';

/** What becomes of a message while the user is in the app. What is wrong is added to the issues. */
export function compileWhileActive(source: Source, form: SendForm, path: Path, settings: Settings, issues: Issue[]): WhileActive | null {
  const given = form.while_active;
  const at = [...path, 'while_active'];
  if (given === undefined) return null;
  if (given === 'drop') return { kind: 'drop' };
  if ('hold' in given) {
    const atMostMs = durationMs(given.hold);
    if (atMostMs <= settings.activeMs)
      issues.push(
        source.issue(
          [...at, 'hold'],
          `nobody has left within \`${given.hold}\`: people count as in the app for ${settings.activeMs / 1000} s after what they did last`,
          'hold it for longer, or shorten `session.active` in topology.yaml',
        ),
      );
    return { kind: 'hold', atMostMs };
  }
  const { channels } = given;
  channels.forEach((channel, i) => {
    if (!settings.channels.has(channel))
      issues.push(
        source.issue(
          [...at, 'channels', i],
          `there is no channel \`${channel}\` in topology.yaml`,
          didYouMean(channel, settings.channels.keys(), 'channels'),
        ),
      );
  });
  return { kind: 'instead', channels };
}
