/** What the page knows of each person. Bounded: who was touched longest ago goes first. */
const PEOPLE = 120;
const EVENTS = 48;
const DECISIONS = 12;

export function createPeople() {
  const people = new Map();

  function get(userId, name = null) {
    let one = people.get(userId);
    if (one === undefined) {
      one = {
        person: { userId, name, sessions: 0, session: null, waits: [], consent: {}, devices: [] },
        events: [],
        news: [],
        decisions: [],
        lastMs: 0,
      };
      if (people.size >= PEOPLE) people.delete(people.keys().next().value);
    } else people.delete(userId);
    people.set(userId, one);
    return one;
  }

  return {
    all: () => people.values(),
    find: (userId) => people.get(userId),
    person(person) {
      get(person.userId).person = person;
    },
    event(event) {
      const one = get(event.userId);
      if (event.of === 'sender') return;
      // What happened to a product is nothing that the person did: it is in none of their sessions.
      const list = event.of === 'item' ? one.news : one.events;
      list.push(event);
      if (list.length > 2 * EVENTS) list.splice(0, EVENTS);
      one.lastMs = Math.max(one.lastMs, event.atMs);
    },
    decision(decision) {
      const one = get(decision.userId, decision.name);
      one.decisions.push(decision);
      if (one.decisions.length > 2 * DECISIONS) one.decisions.splice(0, DECISIONS);
      one.lastMs = Math.max(one.lastMs, decision.decidedAtMs);
    },
  };
}

export const nameOf = (person) => person.name ?? person.userId;
