/* global fetch, navigator, Notification, window, atob, setTimeout, URLSearchParams */
import { byId, make } from './dom.js';

/**
 * Real notifications. A browser that `lull dev --browser` prepared knows the local push service and subscribes by itself; any other one would ask
 * its vendor's service on the internet, so it is told what it needs instead.
 */
export function offerReceiving(receiving) {
  const place = byId('real');
  if (receiving === null) return;
  place.hidden = false;
  const say = (...parts) => place.replaceChildren(make('p', {}, ...parts));
  if (new URLSearchParams(window.location.search).get('prepared') !== '1') {
    say(
      make('strong', {}, 'Real notifications on this screen? '),
      'This browser would ask its maker’s push service, which is not here. ',
      make('code', {}, 'npm start -- --browser'),
      ' opens a Firefox that is prepared to ask the local one.',
    );
    return;
  }
  say('Subscribing this browser to the local push service.');
  subscribe(receiving.vapidPublicKey).then(
    ({ name }) =>
      say(make('strong', {}, `This browser is now ${name}’s laptop. `), 'What Lull sends to them appears as a real notification.'),
    (error) => say(make('strong', {}, 'Not subscribed. '), error.message),
  );
}

/** Until the browser has said hello to the push service, its subscribe() would hang. */
async function connected() {
  for (let i = 0; i < 120; i++) {
    const { isBrowserThere } = await (await fetch('/receiving')).json();
    if (isBrowserThere) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('This browser did not find the local push service.');
}

async function subscribe(vapidPublicKey) {
  if (!('serviceWorker' in navigator) || !('PushManager' in window)) throw new Error('This browser has no push.');
  await navigator.serviceWorker.register('/sw.js');
  const registration = await navigator.serviceWorker.ready;
  if ((await Notification.requestPermission()) !== 'granted') throw new Error('This browser does not allow notifications here.');
  await connected();
  const key = Uint8Array.from(atob(vapidPublicKey.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0));
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const response = await fetch('/devices', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ subscription: subscription.toJSON() }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
