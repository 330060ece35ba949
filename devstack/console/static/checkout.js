// The checkout: an order, its price, and one payment at a time, which is made once whatever happens.

import { ask as askBank } from "./bank.js";
import { announce, element, money, notes, pause, write } from "./format.js";
import { ask, charge, lookUp, quote } from "./http.js";
import { attempts, forget, pending, remember, scopedKey } from "./pending.js";
import { explained } from "./problems.js";

const find = (id) => document.getElementById(id);
const storage = find("storage");

const QUOTE_AFTER = 120; // ms after the last keystroke
const QUOTE_AGAIN = 1000;
// A second click of a double click must not find the button ready for the next purchase.
const HOLD = 800;
const MOST_WAITS = 30;
const EARLIER = "An earlier request may have charged the card. Repeat the payment: with the same key the card is charged once "
  + "at most.";

export class Checkout {
  #record;
  #amount = null;
  #quoting = new AbortController();
  #timer;
  // What the button does: pay for a new order, repeat what is pending, or nothing now.
  #action = () => this.#payNew();
  #busy = false;

  /** `record` gets what is asked of the API: before it is, and after each answer. */
  constructor(record) {
    this.#record = record;
    find("checkout").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#busy) this.#action();
    });
    find("change").addEventListener("click", () => this.#changeOrder());
    find("fewer").addEventListener("click", () => this.#step(-1));
    find("more").addEventListener("click", () => this.#step(1));
    storage.addEventListener("input", () => this.#quoteSoon());
  }

  /** Ask for the price, and go on with a payment that a reload interrupted. */
  begin() {
    this.#quote();
    const payment = pending();
    if (!payment) return;
    storage.value = payment.body.storage;
    const card = document.querySelector(`input[name=card][value="${CSS.escape(payment.body.payment_method)}"]`);
    if (card) card.checked = true;
    this.#say({
      tone: "info",
      title: "A payment was under way when the page was reloaded",
      text: payment.paymentId
        ? "Looking up what became of it."
        : "The same request is repeated with the same key: the card is charged once at most.",
    });
    if (payment.paymentId) this.#lookUp(payment);
    else this.#pay({ ...payment, unknown: true }); // whatever the answer is: the first request may have got through
  }

  // The order

  #step(by) {
    const value = Math.min(999_999, Math.max(1, (Number(storage.value) || 0) + by));
    storage.value = String(value);
    this.#quoteSoon();
  }

  #quoteSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#quote(), QUOTE_AFTER);
  }

  async #quote() {
    this.#quoting.abort();
    this.#quoting = new AbortController();
    if (!this.#isValid()) return this.#price(null);
    try {
      const { status, body } = await quote(storage.valueAsNumber, this.#quoting.signal);
      if (status === 200) return this.#price(body);
    } catch {
      return undefined; // another number was typed meanwhile
    }
    this.#price(null);
    this.#timer = setTimeout(() => this.#quote(), QUOTE_AGAIN); // the service is not there now
    return undefined;
  }

  /** Show a quote of the API's, or that there is none. */
  #price(quoted) {
    this.#amount = quoted?.amount ?? null;
    const each = quoted ? `${notes(quoted.storage)} at ${money(quoted.amount / quoted.storage)}` : "";
    find("price").replaceChildren(
      element("span", { className: "each" }, each),
      element("strong", {}, quoted ? money(quoted.amount, quoted.currency) : "—"),
    );
    if (!this.#busy && !pending()) this.#ready();
  }

  #isValid() {
    const valid = storage.checkValidity();
    storage.setAttribute("aria-invalid", String(!valid));
    find("storage-error").hidden = valid;
    write(find("storage-error"), valid ? "" : "A whole number from 1 to 999,999.");
    return valid;
  }

  // The payment

  async #payNew() {
    if (!this.#isValid()) {
      storage.focus();
      return;
    }
    const card = document.querySelector("input[name=card]:checked");
    // The key is made with the order, and stays with it until the outcome is known.
    const payment = {
      key: crypto.randomUUID(),
      body: { storage: String(storage.valueAsNumber), payment_method: card.value },
      amount: this.#amount,
      began: Date.now(),
      unknown: false,
      paymentId: null,
    };
    remember(payment);
    find("outcome").hidden = true; // the last order's
    await this.#pay(payment);
  }

  async #pay(payment) {
    this.#work("Paying…");
    const attempt = await attemptOf(payment);
    this.#record(attempt);
    let answer;
    for (let waits = 0; ; waits += 1) {
      answer = await charge(payment.body, payment.key);
      attempt.answers.push(answer);
      this.#record(attempt);
      this.#showExchange(answer);
      if (answer.body?.code !== "idempotency_key_in_use" || waits === MOST_WAITS) break;
      await pause(1000 * (answer.retryAfter || 1)); // the first request, which the reload left behind
    }
    if (answer.status === 200) await this.#paid(payment, answer.body);
    else this.#failed(payment, answer, () => this.#pay(payment));
  }

  /** Go on with what the API says of the payment. */
  async #paid(payment, told) {
    const price = `${money(told.amount, told.currency)} for ${notes(told.storage)}`;
    if (told.status === "requires_action") {
      remember({ ...payment, paymentId: told.id });
      await this.#authenticate({ ...payment, paymentId: told.id }, told);
    } else if (told.status === "failed") {
      const failed = told.code === "payment_intent_authentication_failure";
      const title = failed ? "Your bank did not confirm that it was you" : "The card was declined";
      this.#end({ tone: "bad", title, text: "Nothing was charged. Pay again, or choose another card." });
    } else if (told.status === "processing") {
      this.#end({ tone: "info", title: `${price} is being processed`, text: "Your bank takes its time." });
    } else {
      this.#end({ tone: "ok", title: `Paid ${price}`, text: told.id });
    }
  }

  async #authenticate(payment, told) {
    this.#work("Waiting for your bank…");
    this.#say({ tone: "info", title: "Your bank wants to know that it is you", text: "Answer in its dialog." });
    const outcome = await askBank(told);
    if (!outcome) {
      const text = "Nothing is charged until you authenticate.";
      this.#say({ tone: "warn", title: "The payment waits for you", text });
      this.#offer("Continue to your bank", () => this.#lookUp(payment));
      return;
    }
    try {
      await ask(`/payment_intents/${payment.paymentId}/authenticate`, { outcome });
    } catch {
      // Already answered, in another tab perhaps: what became of it is asked for next.
    }
    await this.#lookUp(payment);
  }

  /** Ask the API what became of the payment: what the page believes is not what counts. */
  async #lookUp(payment) {
    this.#work("Asking for the outcome…");
    const answer = await lookUp(payment.paymentId);
    if (answer.status === 200) return this.#paid(payment, answer.body);
    if (answer.status === 404) return this.#end({ tone: "bad", title: "This payment is not known here", text: answer.body.detail });
    const again = { tone: "warn", title: "The outcome could not be asked for", text: "The payment itself is safe. Ask again." };
    this.#say(again);
    return this.#offer("Ask again", () => this.#lookUp(payment), answer.retryAfter);
  }

  #failed(payment, answer, repeat) {
    const problem = explained(answer);
    if (problem.final) return this.#end(problem);
    const unknown = payment.unknown || problem.unknown;
    Object.assign(payment, { unknown });
    remember(payment);
    this.#say(unknown && !problem.unknown ? { ...problem, text: EARLIER } : problem);
    // Whoever may have been charged is not offered another order.
    find("change").hidden = unknown;
    return this.#offer(unknown ? "Repeat the payment" : "Try again", repeat, answer.retryAfter);
  }

  #changeOrder() {
    this.#action = () => this.#payNew();
    forget();
    find("outcome").hidden = true;
    this.#ready();
    storage.focus();
  }

  // What is shown

  /** Nothing can be pressed while something is under way. */
  #work(label) {
    this.#busy = true;
    find("order").disabled = true;
    find("change").hidden = true;
    this.#button(label, true);
  }

  #ready() {
    this.#busy = false;
    this.#action = () => this.#payNew();
    find("order").disabled = false;
    find("change").hidden = true;
    this.#button(this.#amount == null ? "Pay" : `Pay ${money(this.#amount)}`);
  }

  /** Let the button go on with what is pending, after so many seconds. */
  async #offer(label, action, seconds = 0) {
    const mine = (this.#action = action);
    for (let left = seconds; left > 0; left -= 1) {
      this.#button(`${label} in ${left} s`, true);
      await pause(1000);
      if (this.#action !== mine) return;
    }
    this.#busy = false;
    this.#button(label);
  }

  /** The outcome is known: the key is done with. */
  async #end(outcome) {
    forget();
    this.#say(outcome);
    this.#button(outcome.tone === "bad" ? "Not paid" : "Paid", true);
    if (outcome.tone !== "bad") find("pay").dataset.done = "";
    await pause(HOLD);
    delete find("pay").dataset.done;
    this.#ready();
  }

  #button(label, waiting = false) {
    // Not `disabled`, which would take the focus away.
    find("pay").setAttribute("aria-disabled", String(waiting));
    write(find("pay"), label);
  }

  #say({ tone, title, text }) {
    const outcome = find("outcome");
    outcome.hidden = false;
    outcome.dataset.tone = tone;
    outcome.replaceChildren(element("strong", {}, title), element("p", {}, text));
    announce(`${title}. ${text}`);
  }

  #showExchange({ request, status, type, retryAfter, body }) {
    find("exchange").hidden = false;
    const sent = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
    const got = [type && `Content-Type: ${type}`, retryAfter && `Retry-After: ${retryAfter}`].filter(Boolean);
    find("exchange").lastElementChild.textContent = [
      `${request.method} ${request.url}`,
      ...sent,
      "",
      JSON.stringify(request.body, null, 2),
      "",
      status || "no answer",
      ...got,
      "",
      JSON.stringify(body, null, 2),
    ].join("\n");
  }
}

/** What the timeline knows of a payment of this page. After a reload it goes on with what was kept. */
async function attemptOf(payment) {
  const kept = attempts().find(({ key }) => key === payment.key);
  if (kept) return kept;
  const card = document.querySelector("input[name=card]:checked").closest("label").querySelector(".number").textContent;
  const { key, body, amount, began } = payment;
  return { key, body, amount, began, card: `card ${card}`, hash: await scopedKey(key), answers: [] };
}
