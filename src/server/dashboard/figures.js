// From two answers of `stats` to rates, and from rates to health. No DOM here.

const EMPTY = {};

function perSecond(now, before, seconds) {
  const rates = {};
  for (const [key, value] of Object.entries(now)) {
    if (typeof value === 'number') rates[key] = Math.max(0, value - (before[key] ?? value)) / seconds;
  }
  return rates;
}

function dropRates(now = EMPTY, before = EMPTY, seconds = 1) {
  const rates = {};
  for (const [reason, value] of Object.entries(now)) {
    const fresh = (value - (before[reason] ?? 0)) / seconds;
    if (fresh > 0) rates[reason] = fresh;
  }
  return rates;
}

/** Drops that somebody would have wanted: not those that nobody subscribes to. */
export const losses = (drops) => Object.entries(drops)
  .reduce((all, [reason, value]) => all + (reason === 'no_subscriber' ? 0 : value), 0);

export const sum = (rates) => Object.values(rates).reduce((a, b) => a + b, 0);

/** The bound below which this part of the waits of the interval lie; null without any. */
export function quantile(bounds, now, before, part) {
  const fresh = now.map((n, i) => Math.max(0, n - (before?.[i] ?? 0)));
  const wanted = fresh.reduce((a, b) => a + b, 0) * part;
  if (!(wanted > 0)) return null;
  let below = 0;
  for (let i = 0; i < bounds.length; ++i) {
    below += fresh[i];
    if (below >= wanted) return bounds[i];
  }
  return bounds.at(-1);
}

/** Everything that moves, per second. `ends`: the routes of the API, for where they lead to. */
export function compare(before, now, ends) {
  const seconds = Math.max(0.001, (now.steady_ms - before.steady_ms) / 1000);
  const endpoints = {};
  for (const [name, figures] of Object.entries(now.endpoints)) {
    const old = before.endpoints[name] ?? figures;
    const rates = perSecond(figures, old, seconds);
    endpoints[name] = { now: figures, rates, drops: dropRates(figures.dropped, old.dropped, seconds) };
  }
  const routes = {};
  for (const [name, figures] of Object.entries(now.routes)) {
    const old = before.routes[name] ?? figures;
    const rates = perSecond(figures, old, seconds);
    routes[name] = {
      now: figures,
      rates,
      p50: quantile(now.wait_bounds_s, figures.waits, old.waits, 0.5),
      p99: quantile(now.wait_bounds_s, figures.waits, old.waits, 0.99),
    };
    const end = endpoints[ends.find((r) => r.name === name)?.to];
    routes[name].health = healthOf(routes[name], end?.drops);
  }
  return { endpoints, routes, now };
}

/**
 * losing: messages are dropped or refused; unheard: nobody subscribes to them; waiting: they queue;
 * good: they flow; idle: nothing. Why they are dropped is told by the endpoint only.
 */
function healthOf({ now, rates }, drops) {
  const lost = drops && losses(drops) === 0 ? 0 : rates.dropped;
  if (lost + rates.refused + rates.timed_out + rates.dead_lettered > 0) return 'losing';
  if (rates.dropped > 0 && rates.sent + rates.acked + rates.received === 0) return 'unheard';
  if (now.queue_messages > 0 && !(rates.sent + rates.acked > now.queue_messages)) return 'waiting';
  return rates.matched + rates.received > 0 ? 'good' : 'idle';
}

export const HEALTH_WORD = {
  idle: 'quiet', good: 'flowing', waiting: 'waiting', losing: 'losing messages',
  unheard: 'no subscriber',
};
