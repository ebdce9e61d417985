// The page: asks the gateway once a second for its figures, and hands them to what shows them.

import { call, query } from './api.js';
import { Chart } from './charts.js';
import { ClientTable, WorkerTable } from './clients.js';
import { byId, count, rate, setText, wait } from './dom.js';
import { compare, losses, sum } from './figures.js';
import { MessageTail } from './messages.js';
import { Picture } from './picture.js';
import { RoutePanel } from './route_panel.js';
import { Tabs } from './tabs.js';
import { TopicTree } from './topics.js';
import { Why } from './why.js';

const EVERY_MS = 1000;
const FIRST_MS = 300;  // two looks make a rate
const PARTS_EVERY = 5;  // turns between looks at what endpoints and routes there are
const MOST_POINTS = 150;

const panel = new RoutePanel(byId('route-panel'), (name) => picture.choose(name));
const picture = new Picture(byId('picture'), (name) => {
  picture.choose(name);
  panel.open(name);
});
const charts = [
  new Chart(byId('chart-rate'), { names: ['in', 'out'], format: rate,
    series: (p) => ({ in: p.received, out: p.sent }) }),
  new Chart(byId('chart-wait'), { names: ['p99', 'p50'], format: (s) => (s ? wait(s) : s === 0 ? '0' : '–'),
    atLeast: 0.01, series: (p) => ({ p99: p.wait_p99_s, p50: p.wait_p50_s }) }),
  new Chart(byId('chart-drops'), { stacked: true, format: rate, series: (p) => p.dropped,
    empty: 'nothing was dropped' }),
];
const tabs = new Tabs({
  clients: new ClientTable(byId('clients')),
  workers: new WorkerTable(byId('workers')),
  messages: new MessageTail(byId('messages')),
  topics: new TopicTree(byId('topics')),
  why: new Why(byId('why')),
});

let before = null;
let points = [];
let turn = 0;

function tell(state, text) {
  byId('state').className = `state ${state}`;
  setText(byId('state-text'), text);
  document.body.classList.toggle('gone', state === 'gone');
}

function showTotals(moving) {
  const endpoints = Object.values(moving.endpoints);
  const total = (key) => endpoints.reduce((all, e) => all + e.rates[key], 0);
  setText(byId('total-in'), `${rate(total('received'))}/s`);
  setText(byId('total-out'), `${rate(total('sent'))}/s`);
  setText(byId('total-clients'), count(moving.now.sessions.connected));
  const dropped = endpoints.reduce((all, e) => all + sum(e.drops), 0);
  setText(byId('total-dropped'), `${rate(dropped)}/s`);
  byId('total-dropped').classList.toggle('bad', endpoints.some((e) => losses(e.drops) > 0));
  const down = Object.entries(moving.endpoints).filter(([, e]) => e.now.not_ready);
  if (down.length === 0) tell('ready', 'running');
  else tell('partly', down.map(([name, e]) => `${name}: ${e.now.not_ready}`).join(', '));
  setText(byId('version'), `Trestle ${moving.now.version}`);
}

async function showHistory() {
  const since = points.at(-1)?.steady_ms;
  const fresh = (await call(`history?${query({ since })}`)).points;
  if (fresh.length === 0) return;
  points = [...points, ...fresh].slice(-MOST_POINTS);
  for (const chart of charts) chart.show(points);
}

async function showParts() {
  const [endpoints, routes] = await Promise.all([call('endpoints'), call('routes')]);
  picture.setParts(endpoints.items, routes.items);
  panel.setRoutes(routes.items);
  tabs.views.why.setEndpoints(endpoints.items);
}

async function look() {
  if (turn++ % PARTS_EVERY === 0) await showParts();
  const now = await call('stats');
  // A gateway that has been started anew counts from zero: nothing to compare with.
  if (before && now.steady_ms > before.steady_ms) {
    const moving = compare(before, now);
    picture.update(moving);
    panel.update(moving);
    showTotals(moving);
  }
  before = now;
  await showHistory();
}

async function run() {
  if (!document.hidden) {
    try {
      await look();
      if (document.body.classList.contains('gone')) turn = 0;
    } catch (problem) {
      console.info(problem.message);
      tell('gone', 'the gateway does not answer');
      turn = 0;
    }
  }
  setTimeout(run, turn === 1 ? FIRST_MS : EVERY_MS);
}

run();
