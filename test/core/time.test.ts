import { describe, expect, it } from 'vitest';
import { HOUR, MINUTE, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const abandoned = journeyOf({
  name: 'abandoned',
  pattern: { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 't', withinMs: HOUR },
});
const program = programOf({ trackers: [trackerOf('t', ['a', 'b'])], journeys: [abandoned] });

describe('the time of an event', () => {
  it('is never later than its first append: a clock two hours ahead fires nothing later, and nothing earlier', () => {
    const log = new UserLog(program);
    log.event('a', 0, { id: 'c', at: 2 * HOUR });
    expect(log.state.session?.lastMs).toBe(START);
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['abandoned c sent']);
  });

  it('is corrected by what the client says of its own clock', () => {
    const ahead = new UserLog(program);
    ahead.event('a', 10 * MINUTE, { at: 2 * HOUR, sentAt: 2 * HOUR + 10 * MINUTE });
    expect(ahead.state.session?.lastMs).toBe(START);
    const behind = new UserLog(program);
    behind.event('a', 20 * MINUTE, { at: 5 * MINUTE, sentAt: 10 * MINUTE });
    expect(behind.state.session?.lastMs).toBe(START + 15 * MINUTE);
  });

  it('of a clock ten minutes behind, uncorrected, still joins the session and is due ten minutes early', () => {
    const log = new UserLog(program);
    log.event('x', 10 * MINUTE);
    log.event('a', 12 * MINUTE, { id: 'c', at: 2 * MINUTE });
    expect(log.state.session).toMatchObject({ count: 2, startMs: START + 2 * MINUTE });
    log.tick(HOUR + 2 * MINUTE);
    expect(log.outcomes).toEqual(['abandoned c sent']);
  });

  it('counts from the first append where an event was forwarded', () => {
    const log = new UserLog(program);
    log.event('a', 30 * MINUTE, { at: 25 * MINUTE, appendedAt: 20 * MINUTE });
    expect(log.state.session?.lastMs).toBe(START + 20 * MINUTE);
  });
});
