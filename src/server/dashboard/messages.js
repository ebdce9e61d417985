// The live tail with a filter, and a form to publish a test message.

import { call, tail } from './api.js';
import { bytes, h, setText, time } from './dom.js';

const MOST_ROWS = 200;
const RATE = 50;  // a second; nobody reads faster

/** What MQTT 5 clients have put beside the payload, a line each. */
function propertiesOf({ properties: { user = [], ...others } }) {
  return [...Object.entries(others), ...user].map(([name, value]) => `${name}: ${value}`);
}

/** One message as a list shows it. */
export function messageRow(m) {
  const text = m.encoding === 'utf8' ? m.payload : `base64 ${m.payload}`;
  const marks = [`QoS ${m.qos}`, m.retain ? 'retained' : '', m.truncated ? `of ${bytes(m.size)}` : '',
    m.properties_truncated ? 'not all properties' : '', m.endpoint || 'here', m.client_id].filter(Boolean);
  return h('li', { class: 'message' },
    h('time', {}, time(m.time_ms)),
    h('span', { class: 'topic', title: m.topic }, m.topic),
    h('span', { class: 'payload', title: text }, text.length > 400 ? `${text.slice(0, 400)}…` : text),
    h('span', { class: 'marks', title: [marks.join(' · '), ...propertiesOf(m)].join('\n') }, marks.join(' · ')));
}

/** Rows from the newest down, put in once per frame however many come. */
export class MessageList {
  constructor(most) {
    this.most = most;
    this.list = h('ol', { class: 'messages', tabindex: 0, 'aria-label': 'Messages, the newest first' });
    this.waiting = [];
    this.clear();
  }

  add(message) {
    this.waiting.push(message);
    if (this.waiting.length === 1) requestAnimationFrame(() => this.flush());
  }

  flush() {
    if (this.isEmpty) this.list.replaceChildren();
    this.isEmpty = false;
    this.list.prepend(...this.waiting.splice(0).slice(-this.most).reverse().map(messageRow));
    while (this.list.children.length > this.most) this.list.lastChild.remove();
  }

  clear() {
    this.isEmpty = true;
    this.list.replaceChildren(h('li', { class: 'nothing' }, 'Nothing has passed yet.'));
  }
}

export class MessageTail {
  constructor(place) {
    this.filter = h('input', { name: 'filter', value: '#', 'aria-label': 'Topic filter', spellcheck: 'false', autocapitalize: 'off' });
    this.pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.toggle() }, 'Pause');
    this.note = h('p', { class: 'note', role: 'status' });
    this.rows = new MessageList(MOST_ROWS);
    place.append(
      h('form', { class: 'tools', onsubmit: (event) => { event.preventDefault(); this.rows.clear(); this.follow(); } },
        h('label', {}, 'Filter ', this.filter), h('button', {}, 'Follow'), this.pause, this.note),
      this.rows.list, this.publishForm());
  }

  publishForm() {
    const topic = h('input', { 'aria-label': 'Topic', placeholder: 'topic', required: true, spellcheck: 'false', autocapitalize: 'off' });
    const payload = h('input', { 'aria-label': 'Payload', placeholder: 'payload' });
    const qos = h('select', { 'aria-label': 'QoS' }, ...[0, 1, 2].map((q) => h('option', { value: q, selected: q === 1 }, `QoS ${q}`)));
    const retain = h('input', { type: 'checkbox' });
    const said = h('output', { class: 'note' });
    const publish = async (event) => {
      event.preventDefault();
      const body = JSON.stringify({ topic: topic.value, payload: payload.value, encoding: 'utf8', qos: Number(qos.value), retain: retain.checked });
      try {
        const { outcome } = await call('publish', { method: 'POST', body });
        said.textContent = outcome.replaceAll('_', ' ');
      } catch (problem) {
        said.textContent = problem.message;
      }
    };
    return h('form', { class: 'tools publish', onsubmit: publish }, h('strong', {}, 'Publish'), topic, payload, qos,
      h('label', { class: 'check' }, retain, ' retain'), h('button', {}, 'Send'), said);
  }

  start() { this.follow(); }

  stop() {
    this.end?.();
    this.end = null;
  }

  toggle() {
    const pausing = this.pause.getAttribute('aria-pressed') === 'false';
    this.pause.setAttribute('aria-pressed', String(pausing));
    if (pausing) this.stop();
    else this.follow();
    if (pausing) setText(this.note, 'paused');
  }

  follow() {
    this.stop();
    this.pause.setAttribute('aria-pressed', 'false');
    this.end = tail(this.filter.value || '#', RATE, {
      message: (m) => this.rows.add(m),
      status: (s) => setText(this.note, s.skipped ? `${s.skipped.toLocaleString('en')} more matched and were not shown` : 'following'),
      fault: (text) => setText(this.note, text),
    });
  }
}
