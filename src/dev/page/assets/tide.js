import { calm, canvas2d, colour } from './dom.js';

/**
 * The sea's surface: how much happened at each moment of the last minute, now at the right. Every push is a buoy on it, and every message
 * that was held back a ring.
 */
/** A narrow page shows less of it, so that the buoys have room. */
const SPAN_MS = 60_000;
const NARROW_SPAN_MS = 30_000;
const KERNEL_MS = 1_100;

export function createTide(canvas) {
  const moments = [];
  const buoys = [];
  let peak = 4;

  return {
    event(atMs) {
      moments.push(atMs);
      if (moments.length > 20_000) moments.splice(0, 10_000);
    },
    decision(atMs, sent) {
      buoys.push({ atMs, sent });
      if (buoys.length > 2_000) buoys.splice(0, 1_000);
    },

    draw(nowMs) {
      const place = canvas2d(canvas);
      if (place === null) return;
      const { context, width, height } = place;
      const spanMs = width < 600 ? NARROW_SPAN_MS : SPAN_MS;
      while (moments.length > 0 && moments[0] < nowMs - SPAN_MS - 3 * KERNEL_MS) moments.shift();
      while (buoys.length > 0 && buoys[0].atMs < nowMs - spanMs) buoys.shift();

      const columns = Math.max(60, Math.round(width / 6));
      const density = new Float64Array(columns + 1);
      const stepMs = spanMs / columns;
      const reach = Math.ceil((2.5 * KERNEL_MS) / stepMs);
      for (const atMs of moments) {
        const at = columns - (nowMs - atMs) / stepMs;
        for (let i = Math.max(0, Math.floor(at - reach)); i <= Math.min(columns, at + reach); i++)
          density[i] += Math.exp(-(((i - at) * stepMs) ** 2) / (2 * KERNEL_MS ** 2)) / ((KERNEL_MS * 2.507) / 1000);
      }
      // The last moments are not all in yet: without this the sea would always fall away at its edge.
      const edge = Math.ceil((1.6 * KERNEL_MS) / stepMs);
      for (let i = columns - edge + 1; i <= columns; i++) density[i] = Math.max(density[i], density[columns - edge] * 0.92);
      peak += (Math.max(4, ...density) * 1.15 - peak) * 0.06;

      const swell = calm.matches ? 0 : 1.6;
      const surface = (i) =>
        height -
        5 -
        Math.min(1, density[i] / peak) * (height - 46) -
        swell * Math.sin(i / 3.1 + nowMs / 900) -
        swell * Math.sin(i / 7.3 - nowMs / 1400);

      sea(context, columns, width, height, (i) => surface(i) - 9, 0.22);
      sea(context, columns, width, height, surface, 1);

      for (const { atMs, sent } of buoys) {
        const at = Math.min(columns, Math.max(0, columns - (nowMs - atMs) / stepMs));
        const x = (at / columns) * width;
        const low = Math.floor(at);
        const y = surface(low) + (at - low) * (surface(Math.min(columns, low + 1)) - surface(low));
        const age = Math.min(1, (nowMs - atMs) / 500);
        const lift = 11 + (1 - age) * 16;
        context.globalAlpha = Math.max(0, age);
        context.beginPath();
        context.moveTo(x, y + 1);
        context.lineTo(x, y - lift + 4);
        context.lineWidth = 1.5;
        context.strokeStyle = colour(sent ? 'signal' : 'held');
        context.stroke();
        context.beginPath();
        context.arc(x, y - lift, sent ? 4.6 : 3.6, 0, 2 * Math.PI);
        if (sent) {
          context.fillStyle = colour('signal');
          context.fill();
        } else {
          context.fillStyle = colour('sky');
          context.fill();
          context.lineWidth = 1.8;
          context.stroke();
        }
        context.globalAlpha = 1;
      }
    },
  };
}

function sea(context, columns, width, height, surface, alpha) {
  context.beginPath();
  context.moveTo(0, height + 1);
  for (let i = 0; i <= columns; i++) context.lineTo((i / columns) * width, surface(i));
  context.lineTo(width, height + 1);
  context.closePath();
  context.globalAlpha = alpha;
  context.fillStyle = colour('sea-top');
  context.fill();
  context.globalAlpha = 1;
}
