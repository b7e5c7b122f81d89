/* global document, window */
import { make, say, seconds } from './dom.js';
import { nameOf } from './people.js';
import { drawTrack } from './track.js';

/**
 * A few people, each in a lane of their own. A lane stays with its person while anything is open or due, so that nobody jumps
 * about; then somebody busier gets it.
 */
export function createLanes(list, people, onPerson) {
  const lanes = [];
  const few = window.matchMedia('(max-width: 760px)');

  function lane() {
    const who = make('button', { class: 'who', type: 'button' });
    const what = make('span', { class: 'lane-what' });
    const state = make('span', { class: 'lane-state' });
    const canvas = make('canvas', { 'aria-hidden': 'true' });
    const row = make('li', { class: 'lane' }, make('span', { class: 'lane-text' }, who, what), state, canvas);
    const it = { row, who, what, state, canvas, one: null };
    who.addEventListener('click', () => it.one && onPerson(it.one.person.userId));
    return it;
  }

  const busy = (one, nowMs, gapMs) =>
    one.person.session !== null || one.person.waits.some((wait) => wait.dueMs < nowMs + 4 * gapMs) || nowMs - one.lastMs < 0.8 * gapMs;

  /** Gives lanes away. Not on every frame: a lane is worth looking at for a while. */
  function assign(nowMs, gapMs) {
    const count = few.matches ? 6 : 10;
    while (lanes.length < count) {
      lanes.push(lane());
      list.append(lanes.at(-1).row);
    }
    while (lanes.length > count) lanes.pop().row.remove();
    for (const it of lanes) if (it.one !== null) it.one = people.find(it.one.person.userId) ?? null;
    const shown = new Set(lanes.map((it) => it.one?.person.userId));
    const waiting = [...people.all()]
      .filter((one) => one.events.length > 0 && !shown.has(one.person.userId) && busy(one, nowMs, gapMs))
      .sort((a, b) => b.lastMs - a.lastMs);
    for (const it of lanes) {
      if (waiting.length === 0) break;
      if (it.one === null || !busy(it.one, nowMs, gapMs)) it.one = waiting.shift();
    }
  }

  return {
    assign,
    draw(nowMs, gapMs) {
      for (const it of lanes) {
        it.row.hidden = it.one === null;
        if (it.one === null) continue;
        const { person, events } = it.one;
        say(it.who, nameOf(person));
        say(it.what, events.at(-1)?.words ?? '');
        const next = person.waits.toSorted((a, b) => a.dueMs - b.dueMs)[0];
        const due = next !== undefined && next.dueMs < nowMs + 4 * gapMs;
        it.state.dataset.state = due ? 'due' : 'open';
        say(
          it.state,
          due
            ? `${next.words} in ${seconds(next.dueMs - nowMs)}`
            : person.session === null
              ? 'away'
              : `${person.session.count} in this session`,
        );
        drawTrack(it.canvas, it.one, nowMs, gapMs);
      }
    },
  };
}

/** Which properties are worth a line's little room, first ones first. */
const TOLD = ['name', 'total', 'price', 'left', 'path', 'sku', 'category', 'state', 'kind', 'firstName', 'country'];

/** The newest events as they are on the topic. */
export function createStream(list) {
  return (events) => {
    for (const event of events.slice(-8)) {
      const detail = TOLD.map((name) => event.properties[name])
        .filter((value) => value !== undefined && value !== null && value !== '')
        .slice(0, 2)
        .join(' ');
      list.prepend(
        make(
          'li',
          {},
          make('span', {}, new Date(event.atMs).toLocaleTimeString('en-GB')),
          make('span', {}, event.userId),
          make('span', {}, `${event.type}${detail === '' ? '' : `  ${detail}`}`),
        ),
      );
    }
    while (list.children.length > 7) list.lastChild.remove();
    document.body.dataset.events = 'yes';
  };
}
