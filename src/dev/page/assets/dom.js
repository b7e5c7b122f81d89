/* global document, window, getComputedStyle */

export const byId = (id) => document.getElementById(id);

/** `make('li', { class: 'lane', title: '...' }, child, 'text')`; text is always text, never markup. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Sets text only where it differs: a page that changes ten times a second should not touch what stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The page's tokens as the canvas needs them; asked for again when the scheme changes. */
let tokens = null;
export function colour(name) {
  if (tokens === null) tokens = getComputedStyle(document.documentElement);
  return tokens.getPropertyValue(`--${name}`).trim();
}
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  tokens = null;
});

export const calm = window.matchMedia('(prefers-reduced-motion: reduce)');

/** Sizes a canvas to its place on the page, in CSS pixels; null where it is not shown. */
export function canvas2d(canvas) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (width === 0 || height === 0) return null;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export function seconds(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return `${Math.round(s / 3600)} h`;
}

export function timeOfDay(ms) {
  return new Date(ms).toLocaleTimeString('en-GB');
}
