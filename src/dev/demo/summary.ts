import { readable } from '../page/words.ts';
import type { Figures } from '../tally/view.ts';

/** The last line of `lull dev --for`. In the end, `commands` = `accepted` + all of `undelivered`. */
export type Summary = Omit<Figures, 'openSessions'>;

export function summaryOf({ openSessions: _open, ...figures }: Figures): Summary {
  const { events, sessions, told, decisions, journeys, commands, accepted, rejected, undelivered, duplicates, deadLetters } = figures;
  return { events, sessions, told, decisions, journeys, commands, accepted, rejected, undelivered, duplicates, deadLetters };
}

/** One line of progress, for stderr. */
export function progressLine(figures: Figures, seconds: number): string {
  const heldBack = figures.decisions - figures.commands;
  return (
    `${String(seconds).padStart(3)} s  ${figures.events} events, ${figures.sessions} sessions (${figures.openSessions} open), ${figures.told} told of products, ` +
    `${figures.decisions} decisions (${Math.max(0, heldBack)} held back), ${figures.commands} pushes, ${figures.accepted} accepted`
  );
}

/** What became of each journey, for people: a line each. */
export function journeyLines({ journeys }: Pick<Figures, 'journeys'>): string[] {
  return Object.entries(journeys).map(([name, { sent, heldBack }]) => `${readable(name)}: ${sent} sent, ${heldBack} held back`);
}
