// Small helpers: elements, and numbers as people read them.

const SVG = 'http://www.w3.org/2000/svg';

/** h('td', {class: 'number', onclick: f}, 'text', child...) */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  set(element, attributes);
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** Sets what has changed only: a page that updates every second leaves the rest alone. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (value === false || value === null || value === undefined) {
      if (element.hasAttribute(name)) element.removeAttribute(name);
    } else if (element.getAttribute(name) !== String(value)) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const byId = (id) => document.getElementById(id);

/** 0, 0.4, 7.2, 123, 4,567, 56.7k, 8.9M */
export function rate(value) {
  if (!(value > 0)) return '0';
  if (value < 9.95) return value.toFixed(1);
  if (value < 9999.5) return Math.round(value).toLocaleString('en');
  if (value < 999950) return (value / 1e3).toFixed(1) + 'k';
  return value < 999950000 ? (value / 1e6).toFixed(1) + 'M' : (value / 1e9).toFixed(1) + 'G';
}

export const count = (value) => (value < 100000 ? Math.round(value).toLocaleString('en') : rate(value));

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1048576) return `${(value / 1024).toFixed(1)} KiB`;
  return value < 1073741824 ? `${(value / 1048576).toFixed(1)} MiB` : `${(value / 1073741824).toFixed(1)} GiB`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A wait in seconds, from a histogram: an upper bound. */
export function wait(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  return seconds < 1 ? `≤ ${+(seconds * 1000).toPrecision(3)} ms` : `≤ ${seconds} s`;
}

export const time = (ms) => new Date(ms).toLocaleTimeString('en-GB');

/** Runs `work` when nothing more was typed for a moment. */
export function later(work, ms = 250) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), ms);
  };
}
