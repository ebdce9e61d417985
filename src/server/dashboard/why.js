// Why: a topic or a key, every rule that takes it or almost does, and what comes out.

import { call, page, query } from './api.js';
import { h } from './dom.js';

const MOST_SHOWN = 20;
const VERDICT = { matches: 'takes it', overruled: 'overruled', excluded: 'excluded', misses: 'does not match' };
const TONE = { matches: 'good', overruled: 'waiting', excluded: 'waiting', misses: 'idle' };

/** What is to be said below the list. */
function beyond({ items, next }) {
  if (next === null) return items.length ? '' : 'No client subscribes to it.';
  if (items.length === MOST_SHOWN) return 'Perhaps more: not all were looked at.';
  return `${items.length ? 'No other' : 'None'} was found, but not all were looked at.`;
}

/** Those that take it first. */
const rank = ({ verdict }) => Object.keys(VERDICT).indexOf(verdict);

export class Why {
  constructor(place) {
    this.source = h('select', { 'aria-label': 'Where it comes from' }, h('option', { value: '' }, 'MQTT topic'));
    this.text = h('input', { 'aria-label': 'Topic or key', placeholder: 'sensors/hall/t1/temperature', required: true, spellcheck: 'false', autocapitalize: 'off' });
    this.result = h('div', { class: 'result', 'aria-live': 'polite' });
    place.append(h('form', { class: 'tools', onsubmit: (event) => { event.preventDefault(); this.ask(); } },
      this.source, this.text, h('button', { class: 'primary' }, 'Explain')), this.result);
  }

  setEndpoints(endpoints) {
    const names = endpoints.filter((e) => e.gives_messages).map((e) => e.name);
    if (names.join() === this.known) return;
    this.known = names.join();
    this.source.replaceChildren(h('option', { value: '' }, 'MQTT topic'), ...names.map((n) => h('option', { value: n }, `key from ${n}`)));
  }

  async ask() {
    const endpoint = this.source.value, text = this.text.value;
    try {
      const explained = await call(`explain?${endpoint ? query({ endpoint, key: text }) : query({ topic: text })}`);
      const topics = endpoint ? explained.rules.filter((r) => r.verdict === 'matches').map((r) => r.result) : [text];
      const listeners = topics.length ? await page('subscriptions', { topic: topics[0] }, MOST_SHOWN) : { items: [], next: null };
      this.show(explained, listeners, endpoint !== '');
    } catch (problem) {
      this.result.replaceChildren(h('p', { class: 'fault' }, problem.message));
    }
  }

  show(explained, listeners, byKey) {
    const answer = explained.taken ? 'A route takes it.'
      : byKey ? 'No route takes it: it is dropped, counted as no_route.' : 'No route takes it: only subscribers get it.';
    this.result.replaceChildren(
      h('p', { class: 'answer' }, answer),
      h('ol', { class: 'rules' }, ...explained.rules.sort((a, b) => rank(a) - rank(b)).map((rule) => this.rule(rule, byKey))),
      h('h4', {}, 'Subscriptions that match'),
      h('ul', { class: 'listeners' }, ...listeners.items.map((s) => h('li', {}, h('b', {}, s.client_id), ' ', h('code', {}, s.filter), ` QoS ${s.qos}${s.group ? ` · shared in ${s.group}` : ''}`))),
      h('p', { class: 'note' }, beyond(listeners)));
  }

  rule(rule, byKey) {
    const lines = [];
    if (rule.verdict === 'matches') {
      lines.push(h('p', {}, byKey ? 'becomes the topic ' : `goes to ${rule.endpoint} as `, h('code', { class: 'out' }, rule.result)));
      if (rule.frames.length) lines.push(h('p', { class: 'frames' }, ...rule.frames.map((f) => h('code', {}, f))));
    } else {
      lines.push(h('p', {}, rule.why));
    }
    return h('li', { class: `rule ${rule.verdict}` }, h('div', { class: 'head' },
      h('b', {}, rule.route), h('span', { class: `chip ${TONE[rule.verdict]}` }, VERDICT[rule.verdict])),
    h('p', { class: 'template' }, h('code', {}, rule.template)), ...lines);
  }
}
