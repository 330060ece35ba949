// The timeline, the totals and the chart, updated from the stream.

import { announce, find, money, notes, number, write } from "./format.js";
import { draw } from "./chart.js";
import { Purchases } from "./purchases.js";
import { Row } from "./row.js";
import { storeAttempts, storedAttempts } from "./session.js";
import { statusOf } from "./status.js";

const MOST_ROWS = 50;
const REDRAW = 5000; // ms

export class Activity {
  #purchases = this.#createPurchases();
  #rows = new WeakMap();
  #changed = new Set();
  #announced = new WeakSet();
  #run = null;
  #isReplayed = false;
  #timer = null;

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
    setInterval(() => draw(find("chart"), this.#purchases.list), REDRAW);
  }

  /** Add or change an attempt of this page. */
  record(attempt) {
    this.#purchases.attempt(attempt);
    if (this.#run) storeAttempts(this.#run, this.#attempts());
  }

  /** This page's attempts, oldest first. */
  #attempts() {
    return this.#purchases.list.map(({ attempt }) => attempt).filter(Boolean).reverse();
  }

  #begin(run) {
    // Attempts of an earlier run are dropped: its payments no longer exist.
    const stored = storedAttempts();
    const attempts = [...(stored.run === run ? stored.list : []), ...(this.#run ? [] : this.#attempts())];
    this.#run = run;
    this.#isReplayed = false;
    this.#purchases = this.#createPurchases();
    for (const attempt of attempts) this.#purchases.attempt(attempt);
    this.#schedule();
  }

  #createPurchases() {
    return new Purchases((purchase) => {
      this.#changed.add(purchase);
      this.#schedule();
    });
  }

  #showConnection(state, text) {
    find("live").dataset.state = state;
    write(find("live").firstChild, text);
  }

  #schedule() {
    // Not requestAnimationFrame, which pauses in a hidden tab.
    this.#timer ??= setTimeout(() => this.#update(), 16);
  }

  #update() {
    this.#timer = null;
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

/** Replace a list's children, whose order does not change. Those that stay keep their focus and their open JSON. */
function setChildren(list, elements) {
  elements.forEach((child, index) => {
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
  while (list.children.length > elements.length) list.lastChild.remove();
}
