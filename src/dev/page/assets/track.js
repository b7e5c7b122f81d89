import { canvas2d, colour } from './dom.js';

/**
 * One person's line. Sessions are bars, what they did are marks on it, and from the last mark on the line is dotted: the lull. A dashed post in
 * the time to come is a decision that is due; a triangle a price or stock that changed; a filled dot a message sent, a ring one held back.
 */
export function drawTrack(canvas, { events, news, decisions, person }, nowMs, gapMs) {
  const place = canvas2d(canvas);
  if (place === null) return;
  const { context, width, height } = place;
  const pastMs = 4 * gapMs;
  const aheadMs = 1.7 * gapMs;
  const x = (ms) => ((ms - (nowMs - pastMs)) / (pastMs + aheadMs)) * width;
  const middle = Math.round(height / 2);

  line(context, 0, width, middle, colour('line'), 1.5);

  for (const [fromMs, toMs, open] of sessionsOf(events, person, gapMs)) {
    if (x(toMs) + 9 < 0) continue;
    const from = Math.max(-10, x(fromMs) - 9);
    context.fillStyle = colour('bar');
    context.globalAlpha = open ? 1 : 0.5;
    context.beginPath();
    context.roundRect(from, middle - 9, Math.max(18, x(toMs) + 9 - from), 18, 9);
    context.fill();
    context.globalAlpha = 1;
  }

  const last = events.at(-1)?.atMs ?? null;
  const due = person.waits.map((wait) => wait.dueMs).filter((dueMs) => dueMs > nowMs - 1500);
  const until = Math.max(nowMs, ...due);
  if (last !== null && (person.session !== null || due.length > 0)) {
    context.setLineDash([1.5, 5]);
    context.lineCap = 'round';
    line(context, Math.max(0, x(last) + 12), Math.min(width, x(until)), middle, colour('tide'), 2.5);
    context.setLineDash([]);
    context.lineCap = 'butt';
  }

  for (const event of events) if (x(event.atMs) > -10) mark(context, event.type, x(event.atMs), middle);

  for (const { atMs } of news) if (x(atMs) > -10) triangle(context, x(atMs), middle);

  for (const dueMs of due) {
    const at = Math.min(width - 2, x(dueMs));
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(at, 2);
    context.lineTo(at, height - 2);
    context.lineWidth = 2;
    context.strokeStyle = colour('signal');
    context.stroke();
    context.setLineDash([]);
  }

  for (const decision of decisions) {
    const at = x(decision.decidedAtMs);
    if (at < -10) continue;
    context.beginPath();
    context.arc(at, middle, decision.sent ? 6.5 : 5.5, 0, 2 * Math.PI);
    context.fillStyle = colour(decision.sent ? 'signal' : 'sky');
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = colour(decision.sent ? 'sky' : 'held');
    context.stroke();
  }

  // Now: what is right of it has not happened.
  context.fillStyle = colour('held');
  context.globalAlpha = 0.55;
  context.fillRect(x(nowMs), 3, 1, height - 6);
  context.globalAlpha = 1;
}

/** The open window is the processor's own; earlier ones are drawn where the person's events lie closer than the gap. */
function sessionsOf(events, person, gapMs) {
  const bars = [];
  for (const event of events) {
    if (event.type.startsWith('$')) continue;
    const bar = bars.at(-1);
    if (bar !== undefined && event.atMs - bar[1] <= gapMs) bar[1] = event.atMs;
    else bars.push([event.atMs, event.atMs, false]);
  }
  const open = bars.at(-1);
  if (open !== undefined && person.session !== null && open[1] >= person.session.startMs) open[2] = true;
  return bars;
}

function mark(context, type, x, y) {
  context.fillStyle = colour('tide');
  context.strokeStyle = colour('tide');
  context.beginPath();
  if (type === 'purchase_completed') {
    context.fillStyle = colour('good');
    context.roundRect(x - 5.5, y - 5.5, 11, 11, 2);
    context.fill();
  } else if (type === 'checkout_started') {
    context.moveTo(x, y - 7);
    context.lineTo(x + 7, y);
    context.lineTo(x, y + 7);
    context.lineTo(x - 7, y);
    context.fill();
  } else if (type === 'cart_item_added') {
    context.arc(x, y, 4.6, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.fillStyle = colour('sky');
    context.fill();
    context.stroke();
  } else {
    context.arc(x, y, type.startsWith('$') ? 1.6 : 3.2, 0, 2 * Math.PI);
    context.fill();
  }
}

/** Points at the line from above: it comes from outside. */
function triangle(context, x, y) {
  context.fillStyle = colour('held');
  context.beginPath();
  context.moveTo(x - 4.5, y - 13);
  context.lineTo(x + 4.5, y - 13);
  context.lineTo(x, y - 5);
  context.fill();
}

function line(context, from, to, y, stroke, width) {
  if (to <= from) return;
  context.beginPath();
  context.moveTo(from, y);
  context.lineTo(to, y);
  context.lineWidth = width;
  context.strokeStyle = stroke;
  context.stroke();
}
