// The tree of topics with their retained values, level by level: a branch is asked for when opened.

import { call, page, query } from './api.js';
import { bytes, duration, h } from './dom.js';

const PAGE = 100;

export class TopicTree {
  constructor(place) {
    this.note = h('p', { class: 'note', role: 'status' });
    this.root = h('ul', { class: 'tree', 'aria-label': 'Topics with retained messages' });
    this.filter = h('input', { type: 'search', 'aria-label': 'Topic filter', placeholder: 'filter, for example sensors/#', spellcheck: 'false', autocapitalize: 'off' });
    place.append(h('form', { class: 'tools', onsubmit: (event) => { event.preventDefault(); this.refresh(); } },
      this.filter, h('button', {}, 'Show'), this.note), this.root);
  }

  start() { this.refresh(); }

  refresh() {
    const filter = this.filter.value.trim();
    this.root.replaceChildren();
    this.tryTo(() => (filter ? this.list(filter) : this.fillBranch(this.root, null)));
  }

  /** Runs `work`; what goes wrong is told, and nothing else happens. */
  async tryTo(work) {
    this.note.textContent = '';
    try {
      await work();
    } catch (problem) {
      this.note.textContent = problem.message;
    }
  }

  /** What a filter selects, as a flat list. */
  async list(filter, after = null) {
    const { items, next } = await page('retained', { filter, after }, PAGE);
    this.root.append(...items.map((m) => this.leaf(m.topic, m)));
    if (next !== null) this.root.append(this.moreButton(() => this.list(filter, next)));
    if (!this.root.children.length) this.note.textContent = 'Nothing is retained there.';
  }

  async fillBranch(list, below, after = null) {
    // An empty text is a level of its own: only what is left out means the beginning.
    const parameters = new URLSearchParams({ limit: PAGE });
    if (below !== null) parameters.set('below', below);
    if (after !== null) parameters.set('after', after);
    const { items, next } = await call(`topics?${parameters}`);
    list.append(...items.map((level) => (level.has_below ? this.branch(level) : this.leaf(level.level, level.message))));
    if (next !== null) list.append(this.moreButton(() => this.fillBranch(list, below, next)));
    if (below === null && !list.children.length) this.note.textContent = 'Nothing is retained.';
  }

  branch(level) {
    const list = h('ul');
    const name = level.level === '' ? '(empty)' : level.level;
    const details = h('details', { ontoggle: () => {
      if (details.open && !list.children.length) this.tryTo(() => this.fillBranch(list, level.topic));
    } }, h('summary', {}, h('span', { class: 'level' }, name), level.message ? this.value(level.message) : ''), list);
    return h('li', {}, details);
  }

  leaf(name, message) {
    if (!message) return h('li', {}, h('span', { class: 'level' }, name));
    const item = h('li', { class: 'leaf' }, h('span', { class: 'level' }, name === '' ? '(empty)' : name), this.value(message),
      h('button', { class: 'quiet', 'aria-label': `Delete the retained message on ${message.topic}`,
        onclick: () => this.tryTo(async () => {
          await call(`retained?${query({ topic: message.topic })}`, { method: 'DELETE' });
          item.remove();
        }) }, 'Delete'));
    return item;
  }

  value(m) {
    const text = m.encoding === 'utf8' ? m.payload : `base64 ${m.payload}`;
    const marks = [`QoS ${m.qos}`, bytes(m.size), m.expires_s === null ? '' : `${duration(m.expires_s)} left`].filter(Boolean);
    return h('span', { class: 'value', title: marks.join(' · ') }, text.length > 160 ? `${text.slice(0, 160)}…` : text);
  }

  moreButton(load) {
    const item = h('li', {}, h('button', { class: 'quiet', onclick: () => this.tryTo(async () => { await load(); item.remove(); }) }, 'More'));
    return item;
  }
}
