import { make, say, seconds } from './dom.js';
import { nameOf } from './people.js';

const SHOWN = 8;

/** While somebody has the checks of one open, the list stands still: newer ones wait, and a button says how many. */
export function createDecisions(list, empty, newer, onPerson) {
  const shown = [];
  /** The latest of those held back, and how many there were. */
  let waiting = [];
  let count = 0;

  function show(decision) {
    const row = decisionRow(decision, onPerson);
    row.classList.add('new');
    list.prepend(row);
    shown.unshift({ row, decision, ago: row.querySelector('.ago') });
    while (shown.length > SHOWN) shown.pop().row.remove();
    empty.hidden = true;
  }

  function hold(decision) {
    count++;
    waiting = [...waiting, decision].slice(-SHOWN);
  }

  function release() {
    for (const decision of waiting) show(decision);
    waiting = [];
    count = 0;
  }

  newer.addEventListener('click', () => {
    for (const details of list.querySelectorAll('details[open]')) details.open = false;
    release();
    newer.hidden = true;
  });

  return {
    add(decision) {
      if (list.querySelector('details[open]') === null) show(decision);
      else hold(decision);
    },
    draw(nowMs) {
      if (count > 0 && list.querySelector('details[open]') === null) release();
      newer.hidden = count === 0;
      if (count > 0) say(newer, `Show ${count} newer`);
      for (const { decision, ago } of shown) say(ago, agoWords(nowMs - decision.decidedAtMs));
    },
  };
}

/** Also used for one person's history, where the name is known. */
export function decisionRow(decision, onPerson = null) {
  const who =
    onPerson === null ? null : make('button', { class: 'who', type: 'button', onclick: () => onPerson(decision.userId) }, nameOf(decision));
  const verdict = decision.sent ? (who === null ? 'Sent' : 'Sent to ') : who === null ? 'Held back' : 'Held back for ';
  const failed = decision.checks.find((check) => !check.passed);
  const detail = failed?.detail ? `: ${failed.detail}` : '';
  return make(
    'li',
    { class: `decision ${decision.sent ? 'sent' : 'held'}` },
    make('span', { class: 'verdict' }, verdict, who),
    make('span', { class: 'ago' }),
    make(
      'p',
      { class: 'because' },
      make('strong', {}, decision.words),
      decision.sent ? ` via ${decision.via ?? 'push'}` : ` · ${decision.why}${detail}`,
    ),
    checks(decision),
  );
}

function checks(decision) {
  const passed = decision.checks.filter((check) => check.passed).length;
  const all = decision.checks.length;
  if (all === 0) return null;
  const details = make(
    'details',
    { class: 'checks' },
    make(
      'summary',
      {},
      ...decision.checks.map((check) => make('i', { class: check.passed ? 'pip' : 'pip no', 'aria-hidden': 'true' })),
      make('span', {}, passed === all ? `all ${all} checks passed` : `${passed} of ${all} checks passed`),
    ),
  );
  // Built when somebody looks: most are never opened.
  details.addEventListener('toggle', () => details.children.length === 1 && details.append(checkList(decision)), { once: true });
  return details;
}

function checkList(decision) {
  return make(
    'ul',
    { class: 'check-list' },
    ...decision.checks.map((check) =>
      make(
        'li',
        {},
        make('span', { class: check.passed ? 'yes' : 'no' }, check.passed ? 'Yes' : 'No'),
        make('span', {}, check.words),
        check.detail === '' ? null : make('span', { class: 'detail' }, check.detail),
      ),
    ),
  );
}

function agoWords(ms) {
  return ms < 1500 ? 'now' : `${seconds(ms)} ago`;
}
