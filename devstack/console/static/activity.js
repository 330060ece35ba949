// The timeline, the totals and the chart, kept up to date from the stream.

import { announce, money, notes, write } from "./format.js";
import { attempts, keepAttempts, runOfAttempts } from "./pending.js";
import { draw } from "./chart.js";
import { Row } from "./row.js";
import { standing } from "./steps.js";

const MOST_ROWS = 50;
const REDRAW = 5000;

const find = (id) => document.getElementById(id);

export class Activity {
  #purchases;
  #rows = new Map();
  #changed = new Set();
  #told = new Set();
  #run = null;
  #early = [];
  #replayed = false;
  #waiting = false;

  constructor(purchases) {
    this.#purchases = purchases;
    purchases.addEventListener("change", ({ detail }) => this.#later(detail));
    purchases.addEventListener("reset", () => {
      this.#rows.clear();
      this.#later();
    });
    setInterval(() => draw(find("chart"), purchases.list), REDRAW);
  }

  /** Follow the stream; `onSwitches` gets the switches' state. */
  follow(onSwitches) {
    const stream = new EventSource("/stream");
    stream.addEventListener("open", () => this.#show("live", "live"));
    stream.addEventListener("error", () => this.#show("lost", "reconnecting"));
    stream.addEventListener("begin", ({ data }) => this.#begin(JSON.parse(data).run));
    stream.addEventListener("entry", ({ data }) => this.#purchases.apply(JSON.parse(data)));
    stream.addEventListener("switches", ({ data }) => {
      this.#replayed = true; // it comes after what there was to tell
      onSwitches(JSON.parse(data));
    });
  }

  /** Add or change what this page asks for. */
  record(attempt) {
    this.#purchases.attempt(attempt);
    if (!this.#run) {
      this.#early.push(attempt);
      return;
    }
    const all = this.#purchases.list.map((purchase) => purchase.attempt).filter(Boolean);
    keepAttempts(this.#run, all.reverse());
  }

  #begin(run) {
    // What this page asked of an earlier run is gone with it.
    const kept = runOfAttempts() === run ? attempts() : [];
    this.#run = run;
    this.#replayed = false;
    this.#purchases.reset();
    for (const attempt of [...kept, ...this.#early]) this.#purchases.attempt(attempt);
    this.#early = [];
  }

  #show(state, text) {
    find("live").dataset.state = state;
    write(find("live").firstChild, text);
  }

  #later(purchase) {
    if (purchase) this.#changed.add(purchase);
    if (this.#waiting) return;
    this.#waiting = true;
    // Not requestAnimationFrame, which waits in a tab that is not seen.
    setTimeout(() => {
      this.#waiting = false;
      this.#update();
    }, 16);
  }

  #update() {
    const shown = this.#purchases.list.slice(0, MOST_ROWS);
    for (const purchase of this.#changed) this.#rows.get(purchase)?.update();
    const elements = shown.map((purchase) => {
      if (!this.#rows.has(purchase)) this.#rows.set(purchase, new Row(purchase));
      return this.#rows.get(purchase).element;
    });
    place(find("timeline"), elements);
    this.#tell();
    this.#changed.clear();
    this.#total();
  }

  /** Say what arrived at its end while the page was open. */
  #tell() {
    for (const purchase of this.#changed) {
      if (!purchase.sms.length || this.#told.has(purchase)) continue;
      this.#told.add(purchase);
      if (this.#replayed) announce(`${money(purchase.amount ?? 0)} for ${notes(purchase.storage ?? 0)}: the text message was sent.`);
    }
  }

  #total() {
    const { list } = this.#purchases;
    const paid = list.filter((purchase) => standing(purchase).paid);
    write(find("total-paid"), paid.length.toLocaleString("en-US"));
    write(find("total-revenue"), money(paid.reduce((sum, { amount }) => sum + (amount ?? 0), 0)));
    write(find("total-declined"), list.filter((purchase) => standing(purchase).declined).length.toLocaleString("en-US"));
    write(find("total-texts"), list.reduce((sum, { sms }) => sum + sms.length, 0).toLocaleString("en-US"));
    find("empty").hidden = list.length > 0;
    find("older").hidden = list.length <= MOST_ROWS;
    write(find("older"), `${list.length - MOST_ROWS} older ones are counted, and not shown.`);
    draw(find("chart"), list);
  }
}

/** Make a list's children these, leaving in place what is there: focus and open JSON stay. */
function place(list, elements) {
  const wanted = new Set(elements);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((made, index) => {
    if (list.children[index] !== made) list.insertBefore(made, list.children[index] ?? null);
  });
}
