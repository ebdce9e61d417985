// One route in full: counters, queue, outcomes, latency, last messages.

import { tail } from './api.js';
import { bytes, count, h, rate, setText, wait } from './dom.js';
import { HEALTH_WORD } from './figures.js';
import { MessageList } from './messages.js';

const OUTCOMES = ['sent', 'acked', 'refused', 'timed_out', 'dead_lettered', 'dropped'];
const MOST_ROWS = 8, RATE = 10;

export class RoutePanel {
  constructor(place, onClose) {
    this.place = place;
    this.onClose = onClose;
    this.routes = [];
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !place.hidden) this.close();
    });
  }

  setRoutes(routes) { this.routes = routes; }

  open(name) {
    const route = this.routes.find((r) => r.name === name);
    if (!route) return;
    this.end?.();
    this.route = route;
    this.rows = new MessageList(MOST_ROWS);
    const fault = h('p', { class: 'note fault', role: 'status' });
    const facts = (...pairs) => h('dl', { class: 'facts' }, ...pairs.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))));
    this.cells = Object.fromEntries(['health', 'flow', 'p50', 'p99', 'queue', 'flight'].map((n) => [n, h('span')]));
    this.meter = h('span', { class: 'fill' });
    this.bars = Object.fromEntries(OUTCOMES.map((o) => [o, { total: h('td', { class: 'number' }), now: h('td', { class: 'number' }), fill: h('span', { class: `fill ${o}` }) }]));
    this.inward = { total: h('td', { class: 'number' }), now: h('td', { class: 'number' }) };
    const row = (name_, cells, fill = null) => h('tr', {}, h('th', { scope: 'row' }, name_.replaceAll('_', ' ')), h('td', { class: 'bar' }, fill && h('span', { class: 'track' }, fill)), cells.total, cells.now);
    this.place.replaceChildren(
      h('div', { class: 'head' }, h('h3', { id: 'route-name' }, name),
        h('button', { class: 'quiet', 'aria-label': 'Close', onclick: () => this.close() }, '✕')),
      h('div', { class: 'parts' },
        h('div', {},
          h('p', { class: 'way' }, h('code', {}, route.mqtt), h('span', {}, route.to && route.from ? '↔' : route.to ? '→' : '←'), h('code', {}, route.zmq)),
          h('p', { class: 'note' }, [route.to && `to ${route.to}`, route.from && `from ${route.from}`, route.description].filter(Boolean).join(', ')),
          facts(['state', this.cells.health], ['now', this.cells.flow], ['in flight', this.cells.flight], ['wait p50', this.cells.p50], ['wait p99', this.cells.p99]),
          route.to && h('div', { class: 'queue' }, h('span', {}, 'queue ', this.cells.queue), h('span', { class: 'track' }, this.meter))),
        h('div', {}, h('table', { class: 'outcomes' },
          h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Outcome'), h('th', { 'aria-hidden': 'true' }), h('th', { scope: 'col', class: 'number' }, 'Total'), h('th', { scope: 'col', class: 'number' }, 'Now'))),
          h('tbody', {}, ...(route.to ? OUTCOMES.map((o) => row(o, this.bars[o], this.bars[o].fill)) : []),
            ...(route.from ? [row('received', this.inward)] : [])))),
        h('div', {}, h('h4', {}, 'Last messages'), fault, this.rows.list)));
    this.place.hidden = false;
    this.end = tail(route.mqtt_filter, RATE, {
      message: (m) => this.rows.add(m), status: () => setText(fault, ''), fault: (text) => setText(fault, text) });
    if (this.moving) this.update(this.moving);
  }

  close() {
    this.end?.();
    this.place.hidden = true;
    const name = this.route?.name;
    this.route = null;
    this.onClose();
    document.querySelector(`[data-route="${CSS.escape(name ?? '')}"]`)?.focus();
  }

  update(moving) {
    this.moving = moving;
    const figures = this.route && moving.routes[this.route.name];
    if (!figures) return;
    const { now, rates } = figures;
    setText(this.cells.health, HEALTH_WORD[figures.health]);
    this.cells.health.className = `chip ${figures.health}`;
    setText(this.cells.flow, `${rate(rates.matched + rates.received)}/s`);
    setText(this.cells.p50, wait(figures.p50));
    setText(this.cells.p99, wait(figures.p99));
    setText(this.cells.flight, count(now.in_flight));
    const limit = this.route.queue_limit;
    const full = Math.max(now.queue_messages / limit.messages, now.queue_bytes / limit.bytes);
    setText(this.cells.queue, `${count(now.queue_messages)} of ${count(limit.messages)} messages, ${bytes(now.queue_bytes)}`);
    this.meter.style.width = `${Math.min(100, full * 100)}%`;
    this.meter.className = `fill ${full > 0.8 ? 'dropped' : full > 0.3 ? 'refused' : 'sent'}`;
    for (const outcome of OUTCOMES) {
      const bar = this.bars[outcome];
      setText(bar.total, count(now[outcome]));
      setText(bar.now, `${rate(rates[outcome])}/s`);
      bar.fill.style.width = `${now.matched ? Math.min(100, (now[outcome] / now.matched) * 100) : 0}%`;
    }
    setText(this.inward.total, count(now.received));
    setText(this.inward.now, `${rate(rates.received)}/s`);
  }
}
