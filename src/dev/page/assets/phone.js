/* global URL, window */
import { byId, make, say } from './dom.js';
import { nameOf } from './people.js';

/** How long one person's phone is shown before the next one may take its place. */
const LOOK_MS = 3_500;
const NOTICES = 3;
const EARLIER = 5;

/** One phone at a time: the newest push, above what the same person got before. Others queue for a look, the older of them only in the list. */
export function createPhone() {
  const notices = byId('notices');
  const caption = byId('phone-caption');
  const earlier = byId('earlier');
  const pushes = new Map();
  let shown = null;
  let since = 0;
  let next = null;

  function show(push, nowMs) {
    const own = [...pushes.values()].filter((other) => other.userId === push.userId).slice(-NOTICES);
    notices.replaceChildren(...own.map((other) => notice(other, other.commandId === push.commandId)));
    shown = push.commandId;
    since = nowMs;
    tell();
  }

  function tell() {
    const push = pushes.get(shown);
    if (push !== undefined) say(caption, `${nameOf(push)}’s phone · ${push.via} · ${fate(push).toLowerCase()}`);
  }

  function list() {
    const rest = [...pushes.values()].filter((push) => push.commandId !== shown).slice(-EARLIER);
    earlier.replaceChildren(
      ...rest
        .reverse()
        .map((push) =>
          make(
            'li',
            {},
            make('span', {}, nameOf(push)),
            make('span', { class: `fate ${push.state}` }, fate(push)),
            make('span', { class: 'title' }, push.title),
          ),
        ),
    );
  }

  return {
    push(push) {
      const known = pushes.has(push.commandId);
      pushes.set(push.commandId, push);
      while (pushes.size > 60) pushes.delete(pushes.keys().next().value);
      if (!known) next = push.commandId;
      if (push.commandId === shown) tell();
      list();
    },
    draw(nowMs) {
      const now = new Date();
      say(byId('clock-time'), now.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' }));
      say(byId('clock-day'), now.toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' }));
      if (next === null || (shown !== null && nowMs - since < LOOK_MS)) return;
      const push = pushes.get(next);
      next = null;
      if (push === undefined) return;
      show(push, nowMs);
      list();
    },
  };
}

function notice(push, fresh) {
  return make(
    'li',
    { class: fresh ? 'notice new' : 'notice' },
    make(
      'header',
      {},
      make('img', { src: '/assets/mark.svg', alt: '' }),
      make('span', {}, 'The shop'),
      make('span', {}, fresh ? 'now' : 'earlier'),
    ),
    make('b', {}, push.title),
    make('span', { class: 'body' }, push.body),
    own(push.image) ? make('img', { class: 'picture', src: push.image, alt: '' }) : null,
  );
}

/** Only pictures of this server: the page's policy loads no others. */
function own(image) {
  return image !== null && URL.canParse(image) && new URL(image).origin === window.location.origin;
}

function fate(push) {
  if (push.state === 'accepted') return 'Accepted';
  if (push.state === 'undelivered') return push.why ?? 'Not delivered';
  return 'On its way';
}
