// Charts of the last minutes: lines and stacked areas in SVG, with a reading under the pointer.

import { svg, h, set, setText, time } from './dom.js';

const HEIGHT = 132, TOP = 16, BOTTOM = 18, LEFT = 2;

/** 1, 2 or 5 times a power of ten, not below. */
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((m) => m * power >= value) * power;
}

const MOST_AREAS = 5, NEUTRAL_COLOUR = 5;

export class Chart {
  /**
   * `series(point)` gives {name: value}; null values leave gaps. `stacked`: areas on each other.
   * `format` writes a value; the axis goes up to `atLeast`; `neutral` is no reason to worry.
   */
  constructor(place, { series, format, stacked = false, names = null, empty = '', atLeast = 0, neutral = null }) {
    Object.assign(this, { place, series, format, stacked, names, empty, atLeast, neutral, points: [] });
    this.legend = h('ul', { class: 'key' });
    this.tip = h('output', { class: 'tip', hidden: true });
    this.canvas = h('div', { class: 'canvas' });
    place.append(this.canvas, this.legend, this.tip);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener('pointermove', (event) => this.read(event));
    this.canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; this.cross?.remove(); });
  }

  show(points) {
    this.points = points;
    this.draw();
  }

  seriesNames() {
    if (this.names) return this.names;
    const totals = {};
    for (const point of this.points) {
      for (const [name, value] of Object.entries(this.series(point))) {
        totals[name] = (totals[name] ?? 0) + value;
      }
    }
    const isNeutral = (name) => Number(name === this.neutral);
    const commonest = Object.keys(totals).sort((a, b) => totals[b] - totals[a]).slice(0, MOST_AREAS);
    return commonest.sort((a, b) => isNeutral(a) - isNeutral(b));
  }

  colour(name, i) { return `s${name === this.neutral ? NEUTRAL_COLOUR : i}`; }

  draw() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const names = this.seriesNames();
    const rows = this.points.map((p) => this.series(p));
    const tops = rows.map((row) => names.reduce(
      (top, n) => (this.stacked ? top + (row[n] ?? 0) : Math.max(top, row[n] ?? 0)), 0));
    const most = roundUp(Math.max(...tops, this.atLeast));
    const x = (i) => LEFT + (width - 2 * LEFT) * (rows.length < 2 ? 1 : i / (rows.length - 1));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
    this.x = x;
    this.shownNames = names;
    const root = svg('svg', { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img',
      'aria-label': this.summary(rows, names) });
    for (const part of names.length ? [0, 0.5, 1] : [0, 1]) {
      root.append(svg('line', { class: 'grid', x1: 0, x2: width, y1: y(most * part), y2: y(most * part) }));
    }
    root.append(svg('text', { class: 'axis', x: 2, y: y(most) - 4 }, this.format(most).replace('≤ ', '')));
    this.stacked ? this.drawStack(root, rows, names, x, y) : this.drawLines(root, rows, names, x, y);
    if (this.points.length > 1) {
      const minutes = (this.points.at(-1).time_ms - this.points[0].time_ms) / 60000;
      root.append(svg('text', { class: 'axis', x: 2, y: HEIGHT - 4 },
        minutes < 1 ? `${Math.round(minutes * 60)} s ago` : `${Math.round(minutes)} min ago`),
      svg('text', { class: 'axis', x: width - 2, y: HEIGHT - 4, 'text-anchor': 'end' }, 'now'));
    }
    if (names.length === 0) {
      root.append(svg('text', { class: 'nothing', x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle' },
        this.empty));
    }
    this.canvas.replaceChildren(root);
    this.root = root;
    this.legend.replaceChildren(...names.map((name, i) => h('li', { class: this.colour(name, i) },
      name.replaceAll('_', ' '), h('b', {}, this.format(rows.at(-1)?.[name] ?? null)))));
  }

  drawLines(root, rows, names, x, y) {
    names.forEach((name, i) => {
      let d = '', open = false;
      rows.forEach((row, at) => {
        const value = row[name];
        if (value === null || value === undefined) { open = false; return; }
        d += `${open ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
        open = true;
      });
      if (!d) return;
      if (i === 0 && !d.slice(1).includes('M')) {
        const known = rows.map((row, at) => (row[name] ?? null) !== null && at).filter((at) => at !== false);
        root.append(svg('path', { class: `area s${i}`,
          d: `${d}L${x(known.at(-1)).toFixed(1)} ${y(0)}L${x(known[0]).toFixed(1)} ${y(0)}Z` }));
      }
      root.append(svg('path', { class: `curve s${i}`, d }));
    });
  }

  drawStack(root, rows, names, x, y) {
    let floor = rows.map(() => 0);
    names.forEach((name, i) => {
      const top = rows.map((row, at) => floor[at] + (row[name] ?? 0));
      const forth = top.map((v, at) => `${at ? 'L' : 'M'}${x(at).toFixed(1)} ${y(v).toFixed(1)}`).join('');
      const back = floor.map((v, at) => `L${x(at).toFixed(1)} ${y(v).toFixed(1)}`).reverse().join('');
      root.append(svg('path', { class: `stack ${this.colour(name, i)}`, d: `${forth}${back}Z` }));
      floor = top;
    });
  }

  summary(rows, names) {
    if (!rows.length || !names.length) return this.empty || 'no data yet';
    return names.map((n) => `${n} ${this.format(rows.at(-1)[n] ?? 0)}`).join(', ') + ' now';
  }

  read(event) {
    if (this.points.length < 2 || !this.root) return;
    const box = this.canvas.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    const i = Math.min(this.points.length - 1, Math.max(0, Math.round(part * (this.points.length - 1))));
    const row = this.series(this.points[i]);
    this.cross ??= svg('line', { class: 'cross', y1: TOP, y2: HEIGHT - BOTTOM });
    set(this.cross, { x1: this.x(i), x2: this.x(i) });
    this.root.append(this.cross);
    const values = this.shownNames.filter((n) => row[n] !== null && row[n] !== undefined)
      .map((n) => `${n.replaceAll('_', ' ')} ${this.format(row[n])}`);
    setText(this.tip, [time(this.points[i].time_ms), ...values].join('   '));
    this.tip.hidden = false;
  }
}
