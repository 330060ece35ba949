// The timeline, the totals and the chart, updated from the stream.

import { announce, find, money, notes, number, write } from "./format.js";
import { draw } from "./chart.js";
import { Row } from "./row.js";
import { storeAttempts, storedAttempts } from "./session.js";
import { statusOf } from "./status.js";

const MOST_ROWS = 50;
const REDRAW = 5000; // ms

export class Activity {
  #purchases;
  #rows = new Map();
  #changed = new Set();
  #announced = new Set();
  #run = null;
  #attemptsBeforeRun = [];
  #isReplayed = false;
  #isScheduled = false;

  constructor(purchases) {
    this.#purchases = purchases;
    purchases.addEventListener("change", ({ detail }) => {
      this.#changed.add(detail);
      this.#schedule();
    });
    purchases.addEventListener("reset", () => {
      this.#rows.clear();
      this.#schedule();
    });
    setInterval(() => draw(find("chart"), purchases.list), REDRAW);
  }

  /** Follow the stream; `onSwitches` gets the switches' state. */
  follow(onSwitches) {
    const stream = new EventSource("/stream");
    stream.addEventListener("open", () => this.#showConnection("live", "live"));
    stream.addEventListener("error", () => this.#showConnection("lost", "reconnecting"));
    stream.addEventListener("begin", ({ data }) => this.#begin(JSON.parse(data).run));
    stream.addEventListener("entry", ({ data }) => this.#purchases.apply(JSON.parse(data)));
    stream.addEventListener("switches", ({ data }) => {
      this.#isReplayed = true; // the switches follow the entries from before this page
      onSwitches(JSON.parse(data));
    });
  }

  /** Add or change an attempt of this page. */
  record(attempt) {
    this.#purchases.attempt(attempt);
    if (!this.#run) {
      this.#attemptsBeforeRun.push(attempt);
      return;
    }
    const all = this.#purchases.list.map((purchase) => purchase.attempt).filter(Boolean);
    storeAttempts(this.#run, all.reverse());
  }

  #begin(run) {
    // Attempts of an earlier run are dropped: its payments no longer exist.
    const stored = storedAttempts();
    const attempts = [...(stored.run === run ? stored.list : []), ...this.#attemptsBeforeRun];
    this.#run = run;
    this.#isReplayed = false;
    this.#purchases.reset();
    for (const attempt of attempts) this.#purchases.attempt(attempt);
    this.#attemptsBeforeRun = [];
  }

  #showConnection(state, text) {
    find("live").dataset.state = state;
    write(find("live").firstChild, text);
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Not requestAnimationFrame, which pauses in a hidden tab.
    setTimeout(() => {
      this.#isScheduled = false;
      this.#update();
    }, 16);
  }

  #update() {
    for (const purchase of this.#changed) this.#rows.get(purchase)?.update();
    const elements = this.#purchases.list.slice(0, MOST_ROWS).map((purchase) => {
      if (!this.#rows.has(purchase)) this.#rows.set(purchase, new Row(purchase));
      return this.#rows.get(purchase).element;
    });
    setChildren(find("timeline"), elements);
    this.#announceTexts();
    this.#changed.clear();
    this.#updateTotals();
  }

  /** Announce purchases that completed while the page was open. */
  #announceTexts() {
    for (const purchase of this.#changed) {
      if (!purchase.sms.length || this.#announced.has(purchase)) continue;
      this.#announced.add(purchase);
      if (this.#isReplayed) announce(`${money(purchase.amount ?? 0)} for ${notes(purchase.storage ?? 0)}: the text was sent.`);
    }
  }

  #updateTotals() {
    const { list } = this.#purchases;
    const paid = list.filter((purchase) => statusOf(purchase).paid);
    write(find("total-paid"), number(paid.length));
    write(find("total-revenue"), money(paid.reduce((sum, { amount }) => sum + (amount ?? 0), 0)));
    write(find("total-declined"), number(list.filter((purchase) => statusOf(purchase).declined).length));
    write(find("total-texts"), number(list.reduce((sum, { sms }) => sum + sms.length, 0)));
    find("empty").hidden = list.length > 0;
    find("older").hidden = list.length <= MOST_ROWS;
    write(find("older"), `${number(list.length - MOST_ROWS)} older purchases are in the totals but not in this list.`);
    draw(find("chart"), list);
  }
}

/** Replace a list's children, but leave those in place that stay, with their focus and their open JSON. */
function setChildren(list, elements) {
  const wanted = new Set(elements);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((child, index) => {
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
}
