/* global document, window, EventSource, requestAnimationFrame */
import { createDecisions } from './decisions.js';
import { byId, calm, make, say } from './dom.js';
import { createLanes, createStream } from './lanes.js';
import { createPeople } from './people.js';
import { createPerson } from './person.js';
import { createPhone } from './phone.js';
import { offerReceiving } from './receive.js';
import { createTide } from './tide.js';

const people = createPeople();
const openPerson = createPerson();
const tide = createTide(byId('tide'));
const lanes = createLanes(byId('lanes'), people, openPerson);
const stream = createStream(byId('stream'));
const decisions = createDecisions(byId('decision-list'), document.querySelector('[data-empty="decision-list"]'), byId('newer'), openPerson);
const phone = createPhone();

/** The server's clock against this one: the page may be watched from a machine whose clock is off. */
let aheadMs = 0;
let gapMs = 6_000;
const nowMs = () => Date.now() + aheadMs;

const count = (n, one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

function figures(f) {
  for (const element of document.querySelectorAll('[data-figure]')) say(element, f[element.dataset.figure].toLocaleString('en'));
  const note = (name, text) => say(document.querySelector(`[data-note="${name}"]`), text);
  note('events', f.deadLetters === 0 ? 'none unreadable' : count(f.deadLetters, 'dead letter'));
  note('sessions', `${f.openSessions.toLocaleString('en')} open now`);
  note('decisions', `${f.heldBack.toLocaleString('en')} held back`);
  note('commands', f.duplicates === 0 ? 'none sent twice' : `${f.duplicates} sent twice`);
  note('accepted', f.notDelivered === 0 ? 'by a push service' : `${f.notDelivered.toLocaleString('en')} not delivered`);
}

function take(message) {
  aheadMs = message.nowMs - Date.now();
  figures(message.figures);
  for (const person of message.people) people.person(person);
  for (const event of message.events) {
    people.event(event);
    if (event.of === 'person') tide.event(event.atMs);
  }
  stream(message.events);
  for (const decision of message.decisions) {
    people.decision(decision);
    tide.decision(decision.decidedAtMs, decision.sent);
    decisions.add(decision);
  }
  for (const push of message.pushes) phone.push(push);
}

function status(state, text) {
  byId('status').dataset.state = state;
  say(byId('status'), text);
}

const source = new EventSource('/stream');
let begun = false;
source.addEventListener('snapshot', ({ data }) => {
  const snapshot = JSON.parse(data);
  // After a reconnect the old picture is wrong in ways that cannot be told: begin anew.
  if (begun) {
    window.location.reload();
    return;
  }
  begun = true;
  gapMs = snapshot.gapMs;
  for (const { label, href } of snapshot.links) byId('status').before(make('a', { href }, label));
  say(byId('about'), snapshot.about);
  offerReceiving(snapshot.receiving);
  take(snapshot);
  status('live', 'Live');
});
source.addEventListener('changes', ({ data }) => take(JSON.parse(data)));
source.addEventListener('end', () => {
  source.close();
  status('ended', 'Ended: these figures are final');
});
source.addEventListener('error', () => status('lost', 'Waiting for Lull'));

let drawn = 0;
let assigned = 0;
function frame(at) {
  if (at - drawn >= (calm.matches ? 1000 : 66)) {
    drawn = at;
    const now = nowMs();
    if (at - assigned > 400) {
      assigned = at;
      lanes.assign(now, gapMs);
      decisions.draw(now);
      phone.draw(now);
    }
    tide.draw(now);
    lanes.draw(now, gapMs);
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
