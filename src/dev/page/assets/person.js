/* global fetch */
import { byId, make, timeOfDay } from './dom.js';
import { decisionRow } from './decisions.js';
import { nameOf } from './people.js';

/** One person, explained: what is known, what was decided and why, what they did. */
export function createPerson() {
  const dialog = byId('person');
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });

  return async function open(userId) {
    const response = await fetch(`/people/${encodeURIComponent(userId)}`);
    if (!response.ok) return;
    const { person, events, decisions, pushes } = await response.json();
    const parts = [
      head(person, () => dialog.close()),
      facts(person),
      make('h3', {}, 'Why, and why not'),
      decisions.length === 0
        ? make('p', {}, 'Nothing has been decided yet. A journey has to see its moment first.')
        : make('ol', {}, ...decisions.toReversed().map((decision) => withTime(decisionRow(decision), decision.decidedAtMs))),
      pushes.length === 0 ? null : make('h3', {}, 'What was sent'),
      pushes.length === 0
        ? null
        : make(
            'ol',
            { class: 'log' },
            ...pushes.toReversed().map((push) => row(push.decidedAtMs, `${push.title} · ${push.why ?? push.state}`)),
          ),
      make('h3', {}, 'What happened'),
      make('ol', { class: 'log' }, ...events.toReversed().map((event) => row(event.atMs, event.words))),
    ];
    // What is not there is left out; as a child, null would be written out.
    dialog.replaceChildren(...parts.filter((part) => part !== null));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
}

function head(person, close) {
  return make(
    'div',
    { class: 'person-head' },
    make('div', {}, make('h2', { id: 'person-name' }, nameOf(person)), make('p', {}, person.userId)),
    make('button', { class: 'close', type: 'button', onclick: close }, 'Close'),
  );
}

function facts(person) {
  const consent = Object.entries(person.consent).map(([category, state]) => `${category} ${state === 'in' ? 'yes' : 'no'}`);
  const devices = person.devices.map(
    (device) => `${device.words}${!device.reachable ? ' (gone)' : device.permission === 'granted' ? '' : ` (${device.permission})`}`,
  );
  return make(
    'dl',
    { class: 'facts' },
    fact('Sessions', String(person.sessions)),
    fact('Consent', consent.join(', ') || 'not asked'),
    fact('Devices', devices.join(', ') || 'none'),
    fact('Waiting for', person.waits.map((wait) => wait.words).join(', ') || 'nothing'),
  );
}

const fact = (name, value) => make('div', {}, make('dt', {}, name), make('dd', {}, value));

const row = (atMs, text) => make('li', {}, make('time', {}, timeOfDay(atMs)), make('span', {}, text));

function withTime(element, atMs) {
  element.querySelector('.ago').textContent = timeOfDay(atMs);
  return element;
}
