// The picture: endpoints left and right, the hub between them, and a line for each route. Lines grow
// with the rate and take the colour of their health; a route can be chosen by mouse or keyboard.

import { svg, set, setText, rate, count } from './dom.js';
import { HEALTH_WORD, losses } from './figures.js';

export const MOST_ROUTES = 24;  // drawn; those in trouble and the busiest when there are more
const TROUBLE = ['waiting', 'losing'];
const ROW = 78, PILL_ROW = 58, NODE_HEIGHT = 58, PILL_HEIGHT = 40, EDGE = 14;

/** 1.5 to 13 pixels, by magnitude. */
const thickness = (perSecond) =>
  (perSecond > 0 ? Math.min(13, 2.5 + 2.1 * Math.log10(1 + perSecond)) : 1.5).toFixed(1);

const isPeerSide = (endpoint) => endpoint.takes_routes || endpoint.gives_messages;

export class Picture {
  constructor(place, onChoose) {
    this.place = place;
    this.onChoose = onChoose;
    this.endpoints = [];
    this.routes = [];
    this.moving = null;
    this.chosen = null;
    new ResizeObserver(() => this.layout()).observe(place);
  }

  /** What there is: from `endpoints` and `routes` of the API. */
  setParts(endpoints, routes) {
    const shape = JSON.stringify([endpoints.map((e) => [e.name, e.plugin, e.socket]),
      routes.map((r) => [r.name, r.to, r.from, r.mqtt, r.zmq])]);
    this.endpoints = endpoints;
    this.routes = routes;
    if (shape === this.shape) return;
    this.shape = shape;
    this.layout();
  }

  /** How it moves: from figures.js. */
  update(moving) {
    this.moving = moving;
    if (this.routes.length > MOST_ROUTES) this.chooseBusiest();
    this.paint();
  }

  choose(name) {
    this.chosen = name;
    this.paint();
  }

  chooseBusiest() {
    const figures = (name) => this.moving.routes[name];
    const trouble = (name) => TROUBLE.indexOf(figures(name)?.health);
    const flow = (name) => (figures(name) ? figures(name).rates.matched + figures(name).rates.received : 0);
    const busiest = this.routes.map((r) => r.name)
      .sort((a, b) => trouble(b) - trouble(a) || flow(b) - flow(a)).slice(0, MOST_ROUTES);
    // Those that are shown stay while they are among the busiest twice as many: no flicker.
    if (this.shown && busiest.slice(0, MOST_ROUTES / 2).every((n) => this.shown.includes(n))) return;
    this.shown = busiest;
    this.layout();
  }

  shownRoutes() {
    if (this.routes.length <= MOST_ROUTES) return this.routes;
    const names = this.shown ?? this.routes.slice(0, MOST_ROUTES).map((r) => r.name);
    return this.routes.filter((r) => names.includes(r.name));
  }

  layout() {
    const width = Math.max(320, this.place.clientWidth);
    const left = this.endpoints.filter((e) => !isPeerSide(e));
    const routes = this.shownRoutes();
    const right = inOrderOfRoutes(this.endpoints.filter(isPeerSide), routes);
    const height = 2 * EDGE + Math.max(left.length * ROW, right.length * ROW, routes.length * PILL_ROW, ROW);
    const narrow = width < 720;
    const nodeWidth = Math.min(220, Math.max(88, width * (narrow ? 0.25 : 0.19)));
    const pillWidth = Math.min(270, Math.max(92, width * (narrow ? 0.27 : 0.24)));
    const hub = { x: width * (narrow ? 0.33 : 0.34), width: narrow ? 8 : 14 };
    const pillX = width * (narrow ? 0.535 : 0.555) - pillWidth / 2;
    const place = (i, n) => EDGE + (height - 2 * EDGE) * (i + 0.5) / n;

    this.nodes = new Map();
    this.lines = [];
    this.pills = new Map();
    this.names = [];
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group',
      'aria-label': `${this.endpoints.length} endpoints and ${this.routes.length} routes`,
      class: narrow ? 'narrow' : '' });
    const under = svg('g', { class: 'lines' });
    root.append(under, svg('rect', { class: 'hub', x: hub.x, y: EDGE, width: hub.width,
      height: height - 2 * EDGE, rx: hub.width / 2 }, svg('title', {}, 'the hub: one space of topics')),
    svg('text', { class: 'caption', x: hub.x + hub.width / 2, y: height - 2, 'text-anchor': 'middle' }, 'topics'));

    left.forEach((e, i) => {
      const y = place(i, left.length);
      this.addNode(root, e, 1, y, nodeWidth);
      this.addLine(under, `M${nodeWidth} ${y}H${hub.x}`, 'endpoint', e.name, 'both');
    });
    const rightX = width - nodeWidth - 1;
    right.forEach((e, i) => this.addNode(root, e, rightX, place(i, right.length), nodeWidth));
    routes.forEach((route, i) => {
      const y = place(i, routes.length);
      this.addPill(root, route, pillX, y, pillWidth);
      const direction = route.to && route.from ? 'both' : route.to ? 'out' : 'in';
      this.addLine(under, `M${hub.x + hub.width} ${y}H${pillX}`, 'route', route.name, direction);
      for (const [name, way] of [[route.to, 'out'], [route.from, 'in']]) {
        const at = right.findIndex((e) => e.name === name);
        if (at < 0) continue;
        const x1 = pillX + pillWidth, y2 = place(at, right.length), bend = (rightX - x1) * 0.5;
        this.addLine(under, `M${x1} ${y}C${x1 + bend} ${y} ${rightX - bend} ${y2} ${rightX} ${y2}`,
          'route', route.name, way);
      }
    });
    const hidden = this.routes.length - routes.length;
    if (hidden > 0) {
      root.append(svg('text', { class: 'more', x: pillX + pillWidth / 2, y: 11,
        'text-anchor': 'middle' }, `${hidden} quieter routes are not shown`));
    } else if (routes.length === 0) {
      root.append(svg('text', { class: 'more', x: pillX + pillWidth / 2, y: height / 2 + 4,
        'text-anchor': 'middle' }, 'no routes to ZeroMQ'));
    }
    const focused = document.activeElement?.dataset.route;
    this.place.replaceChildren(root);
    this.paint();  // before anything is measured: else all would fade in from grey
    for (const [text, most] of this.names) fit(text, most);
    this.pills.get(focused)?.group.focus();
  }

  addNode(root, endpoint, x, y, width) {
    const rate = svg('text', { class: 'rate', x: 12, y: 44 });
    const peers = svg('text', { class: 'peers', x: width - 10, y: 44, 'text-anchor': 'end' });
    const group = svg('g', { class: 'node', transform: `translate(${x} ${y - NODE_HEIGHT / 2})`,
      'data-endpoint': endpoint.name },
    svg('title', {}, `${endpoint.name}: ${[...endpoint.listen, ...endpoint.connect].join(', ')}`),
    svg('rect', { width, height: NODE_HEIGHT, rx: 12 }),
    svg('circle', { class: 'lamp', cx: width - 14, cy: 17, r: 4 }),
    this.name({ x: 12, y: 22 }, endpoint.name, width - 38), rate, peers);
    const kind = endpoint.socket ? `zmq ${endpoint.socket}` : endpoint.plugin;
    if (endpoint.name.length * 8 + kind.length * 6.5 + 52 < width) {
      group.append(svg('text', { class: 'kind', x: width - 26, y: 21, 'text-anchor': 'end' },
        kind));
    }
    root.append(group);
    this.nodes.set(endpoint.name, { group, rate, peers, endpoint, wide: width > 190, narrow: width < 150 });
  }

  addPill(root, route, x, y, width) {
    const figure = svg('text', { class: 'rate', x: width / 2, y: 31, 'text-anchor': 'middle' });
    const choose = () => this.onChoose(route.name);
    const group = svg('g', { class: 'pill', transform: `translate(${x} ${y - PILL_HEIGHT / 2})`,
      role: 'button', tabindex: 0, 'data-route': route.name, onclick: choose,
      onkeydown: (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose();
      } },
    svg('title', {}, `${route.name}: ${route.mqtt}  ↔  ${route.zmq}`),
    svg('rect', { width, height: PILL_HEIGHT, rx: PILL_HEIGHT / 2 }),
    this.name({ x: width / 2, y: 17, 'text-anchor': 'middle' }, route.name, width - 30), figure);
    root.append(group);
    this.pills.set(route.name, { group, figure, wide: width > 150 });
  }

  name(place, text, most) {
    const element = svg('text', { class: 'name', ...place }, text);
    this.names.push([element, most]);
    return element;
  }

  addLine(parent, d, kind, name, way) {
    const body = svg('path', { d, class: 'body' });
    const flow = svg('path', { d, class: 'flow' });
    const hit = svg('path', { d, class: 'hit' });
    const group = svg('g', { class: 'line', [`data-${kind}-line`]: name }, body, flow, hit);
    if (kind === 'route') hit.addEventListener('click', () => this.onChoose(name));
    parent.append(group);
    this.lines.push({ group, body, flow, kind, name, way });
  }

  paint() {
    if (!this.moving || !this.nodes) return;
    for (const node of this.nodes.values()) this.paintNode(node);
    for (const [name, pill] of this.pills) this.paintPill(name, pill);
    for (const line of this.lines) this.paintLine(line);
  }

  paintNode({ group, rate: text, peers, endpoint, wide, narrow }) {
    const e = this.moving.endpoints[endpoint.name];
    if (!e) return;
    const isZmq = endpoint.plugin === 'zmq';
    const state = e.now.not_ready ? 'down' : isZmq && e.now.peers === 0 ? 'alone' : 'ready';
    set(group, { class: `node ${state}` });
    const inside = rate(e.rates.received), outside = rate(endpointOut(endpoint, e, this));
    setText(text, state === 'down' ? '' : endpoint.takes_routes ? `${outside}/s out` : isPeerSide(endpoint)
      ? `${inside}/s in` : wide ? `${inside}/s in · ${outside} out` : narrow ? `${inside}/s` : `${inside}/s in`);
    const kind = `${isZmq ? 'peer' : 'client'}${e.now.peers === 1 ? '' : 's'}`;
    setText(peers, state === 'down' ? (wide ? e.now.not_ready : 'not ready')
      : narrow ? count(e.now.peers) : `${count(e.now.peers)} ${kind}`);
    set(group, { 'aria-label': `endpoint ${endpoint.name}: ${e.now.not_ready || state}`, role: 'img' });
  }

  paintPill(name, { group, figure, wide }) {
    const route = this.moving.routes[name];
    if (!route) return;
    const flow = route.rates.matched + route.rates.received;
    const queue = route.now.queue_messages;
    setText(figure, queue === 0 ? `${rate(flow)}/s` : wide ? `${rate(flow)}/s · ${count(queue)} queued`
      : `${count(queue)} queued`);
    set(group, { class: `pill ${route.health}`, 'aria-pressed': String(name === this.chosen),
      'aria-label': `route ${name}: ${rate(flow)} messages per second, ${HEALTH_WORD[route.health]}` });
  }

  paintLine({ group, body, flow, kind, name, way }) {
    let perSecond = 0, health = 'idle';
    if (kind === 'route') {
      const route = this.moving.routes[name];
      if (!route) return;
      perSecond = way === 'out' ? route.rates.matched : way === 'in' ? route.rates.received
        : route.rates.matched + route.rates.received;
      health = perSecond > 0 || route.health === 'waiting' ? route.health : 'idle';
      if (way === 'in' && health !== 'idle') health = 'good';
    } else {
      const e = this.moving.endpoints[name];
      if (!e) return;
      perSecond = e.rates.received + e.rates.sent;
      health = e.now.not_ready ? 'down' : losses(e.drops) > 0 ? 'losing'
        : perSecond > 0 ? 'good' : 'idle';
    }
    const width = thickness(perSecond);
    set(group, { class: `line ${health}${name === this.chosen && kind === 'route' ? ' chosen' : ''}`,
      'data-rate': perSecond.toFixed(1) });
    set(body, { 'stroke-width': width });
    const seconds = Math.max(0.5, 3 - 0.5 * Math.log10(1 + perSecond)).toFixed(1);
    set(flow, { class: `flow ${way}${perSecond > 0 ? ' moves' : ''}`,
      'stroke-width': Math.max(1, width * 0.42).toFixed(1) });
    flow.style.animationDuration = `${seconds}s`;
  }
}

/** What leaves by an endpoint: to clients as its connections count, to ZeroMQ as its routes do. */
function endpointOut(endpoint, moving, picture) {
  if (!endpoint.takes_routes) return moving.rates.sent;
  let total = 0;
  for (const route of picture.routes) {
    if (route.to === endpoint.name) total += picture.moving.routes[route.name]?.rates.sent ?? 0;
  }
  return total;
}

/** Each beside its routes, on average: lines cross less. Those without any come last. */
function inOrderOfRoutes(endpoints, routes) {
  const place = (endpoint) => {
    const at = routes.map((r, i) => (r.to === endpoint.name || r.from === endpoint.name ? i : -1)).filter((i) => i >= 0);
    return at.length ? at.reduce((a, b) => a + b) / at.length : routes.length;
  };
  return endpoints.sort((a, b) => place(a) - place(b));
}

/** Shortens a text in its middle: long names differ at their ends. */
function fit(text, most) {
  const whole = text.getComputedTextLength(), name = text.textContent;
  if (whole <= most) return;
  const kept = Math.max(4, Math.floor(name.length * most / whole) - 1);
  const end = Math.floor(kept / 2);
  text.textContent = `${name.slice(0, kept - end)}…${name.slice(-end)}`;
}
