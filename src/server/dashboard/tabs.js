// Tabs as people and screen readers know them: arrows move, one panel at a time works.

import { byId } from './dom.js';

export class Tabs {
  /** `views` by the panel's id; a view may have start() and stop(): only the shown one asks. */
  constructor(views) {
    this.views = views;
    this.names = Object.keys(views);
    for (const name of this.names) {
      const tab = byId(`tab-${name}`);
      tab.addEventListener('click', () => this.show(name));
      tab.addEventListener('keydown', (event) => this.move(event, name));
    }
    const asked = location.hash.slice(1);
    this.show(this.names.includes(asked) ? asked : this.names[0], false);
  }

  show(name, remember = true) {
    if (name === this.shown) return;
    for (const other of this.names) {
      const tab = byId(`tab-${other}`);
      tab.setAttribute('aria-selected', String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      byId(other).hidden = other !== name;
    }
    this.views[this.shown]?.stop?.();
    this.shown = name;
    this.views[name].start?.();
    if (remember) history.replaceState(null, '', `#${name}`);
  }

  move(event, name) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const edge = { Home: 0, End: this.names.length - 1 }[event.key];
    if (step === undefined && edge === undefined) return;
    event.preventDefault();
    const n = this.names.length;
    const to = this.names[edge ?? (this.names.indexOf(name) + step + n) % n];
    this.show(to);
    byId(`tab-${to}`).focus();
  }
}
