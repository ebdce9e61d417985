// Tables of clients and workers. A page at a time, asked for anew while it is shown: never all.

import { call, page } from './api.js';
import { bytes, count, duration, h, later } from './dom.js';

const EVERY_MS = 3000;
const PAGE = 50;

class Table {
  constructor(place, { path, label, columns, values, actions = null, empty }) {
    Object.assign(this, { place, path, columns, values, actions, empty });
    this.after = [''];
    this.search = h('input', { type: 'search', placeholder: label, 'aria-label': label,
      oninput: later(() => { this.after = ['']; this.refresh(); }) });
    this.body = h('tbody');
    this.note = h('p', { class: 'note', role: 'status' });
    this.back = h('button', { onclick: () => { this.after.pop(); this.refresh(); } }, 'Back');
    this.more = h('button', { onclick: () => { this.after.push(this.next); this.refresh(); } }, 'More');
    place.append(
      h('div', { class: 'tools' }, this.search, this.note, this.back, this.more),
      h('div', { class: 'scroll' }, h('table', {},
        h('thead', {}, h('tr', {}, ...columns.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)))),
        this.body)));
  }

  start() {
    this.running = true;
    this.refresh();
  }

  stop() {
    this.running = false;
    clearTimeout(this.timer);
  }

  async refresh() {
    clearTimeout(this.timer);
    const turn = this.turn = (this.turn ?? 0) + 1;
    try {
      const found = await page(this.path, { search: this.search.value, after: this.after.at(-1) }, PAGE);
      if (turn !== this.turn) return;
      if (!this.isBeingCopied()) this.show(found);
    } catch (problem) {
      this.note.textContent = problem.message;
    }
    if (this.running && turn === this.turn) this.timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  isBeingCopied() {
    const selection = getSelection();
    return !selection.isCollapsed && this.body.contains(selection.anchorNode);
  }

  show({ items, next }) {
    this.next = next;
    const place = (this.after.length - 1) * PAGE;
    this.back.disabled = this.after.length === 1;
    this.more.disabled = next === null;
    this.note.textContent = items.length === 0 ? this.none()
      : next === null && place === 0 ? `${items.length} in all`
        : `${place + 1} to ${place + items.length}${next === null ? '' : ' of more'}`;
    const focused = this.body.contains(document.activeElement) && document.activeElement.getAttribute('aria-label');
    this.body.replaceChildren(...items.map((item) => h('tr', {},
      ...this.values(item).map((value, i) => h(i ? 'td' : 'th', { class: this.columns[i][1], scope: i ? null : 'row', title: i ? null : value }, value)))));
    if (focused) this.body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  none() {
    if (this.next !== null) return 'None was found so far: not all were looked at.';
    return this.search.value ? 'None matches.' : this.after.length > 1 ? 'No more.' : this.empty;
  }
}

export class ClientTable extends Table {
  constructor(place) {
    super(place, {
      path: 'sessions',
      label: 'Search client, address or user',
      empty: 'No client.',
      columns: [['Client', 'name'], ['State', ''], ['Endpoint', ''], ['Protocol', ''], ['Address', ''],
        ['Subscriptions', 'number'], ['Queue', 'number'], ['In flight', 'number'], ['', 'action']],
      values: (c) => [
        c.client_id,
        h('span', { class: `chip ${c.connected ? 'good' : 'idle'}` }, c.connected
          ? `for ${duration(c.connected_s)}` : c.expires_s === null ? 'away' : `away, ${duration(c.expires_s)} left`),
        c.endpoint ?? '–', c.protocol ?? '–', c.address ?? '–', count(c.subscriptions),
        h('span', { class: c.queue.messages ? 'waiting' : '', title: bytes(c.queue.bytes) }, count(c.queue.messages)),
        count(c.in_flight),
        h('button', { class: 'quiet', 'aria-label': `${c.connected ? 'Disconnect' : 'End the session of'} ${c.client_id}`,
          onclick: (event) => this.remove(c, event.currentTarget) }, c.connected ? 'Disconnect' : 'End')],
    });
  }

  async remove(client, button) {
    if (button.dataset.sure === undefined) {  // a second press means it
      button.dataset.sure = '';
      button.textContent = 'Sure?';
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), EVERY_MS);
      return;
    }
    const path = `${client.connected ? 'clients' : 'sessions'}/${encodeURIComponent(client.client_id)}`;
    await call(path, { method: 'DELETE' }).catch((problem) => { this.note.textContent = problem.message; });
    this.refresh();
  }
}

export class WorkerTable extends Table {
  constructor(place) {
    super(place, {
      path: 'workers',
      label: 'Search worker, endpoint or service',
      empty: 'No worker has said hello to a ROUTER endpoint. Peers of other ZeroMQ endpoints are counted in the picture.',
      columns: [['Worker', 'name'], ['Endpoint', ''], ['State', ''], ['Service', ''], ['Protocol', ''],
        ['In hand', 'number'], ['Window', 'number'], ['Heard of', 'number'], ['Jobs', '']],
      values: (w) => [w.id, w.endpoint, h('span', { class: `chip ${w.state === 'busy' ? 'waiting' : 'good'}` }, w.state),
        w.service, w.protocol, count(w.in_flight), count(w.window), `${duration(w.silent_ms / 1000)} ago`,
        w.leases.length === 0 ? '–' : `${w.leases[0].route || 'request'}, ${duration(w.leases[0].age_ms / 1000)}${w.leases.length > 1 ? ' and more' : ''}`],
    });
  }
}
