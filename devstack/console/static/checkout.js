// The checkout: an order, its price, and one payment at a time, which charges the card at most once.

import { announce, find, money, notes, pause, write } from "./format.js";
import { callConsole, charge, fetchPayment, fetchQuote } from "./http.js";
import { pendingPayment, removePayment, scopedKey, storePayment, storedAttempts } from "./session.js";
import { explained, ONCE } from "./problems.js";

const storage = find("storage");

const QUOTE_DELAY = 120; // ms after the last keystroke
const QUOTE_RETRY = 1000; // ms
const HOLD = 800; // ms; the second click of a double click must not start the next purchase
const MOST_RETRIES = 30;

export class Checkout {
  #record;
  #amount = null;
  #quoting = new AbortController();
  #timer;
  // What the button does: pay for a new order, or continue the pending payment.
  #action = () => this.#payNew();
  #isBusy = false;

  /** `record` gets this page's attempt before each request and after each response. */
  constructor(record) {
    this.#record = record;
    find("checkout").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#isBusy) this.#action();
    });
    find("change").addEventListener("click", () => this.#changeOrder());
    find("fewer").addEventListener("click", () => this.#step(-1));
    find("more").addEventListener("click", () => this.#step(1));
    storage.addEventListener("input", () => this.#quoteSoon());
  }

  /** Fetch the price, and continue a payment that a reload interrupted. */
  begin() {
    this.#quote();
    const payment = pendingPayment();
    if (!payment) return;
    storage.value = payment.body.storage;
    const card = document.querySelector(`input[name=card][value="${CSS.escape(payment.body.payment_method)}"]`);
    if (card) card.checked = true;
    const text = payment.paymentId
      ? "Fetching its status."
      : "The same request is repeated with the same key, so the card is charged at most once.";
    this.#show({ tone: "info", title: "The page was reloaded during a payment", text });
    if (payment.paymentId) this.#fetchStatus(payment);
    else this.#pay({ ...payment, unknown: true }); // the first request may have charged the card
  }

  // The order

  #step(by) {
    storage.value = String(Math.min(999_999, Math.max(1, (Number(storage.value) || 0) + by)));
    this.#quoteSoon();
  }

  #quoteSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#quote(), QUOTE_DELAY);
  }

  async #quote() {
    this.#quoting.abort();
    this.#quoting = new AbortController();
    if (!this.#isValid()) return this.#showPrice(null);
    try {
      const { status, body } = await fetchQuote(storage.valueAsNumber, this.#quoting.signal);
      this.#showPrice(status === 200 ? body : null);
      if (status !== 200) this.#timer = setTimeout(() => this.#quote(), QUOTE_RETRY);
    } catch {
      // Aborted: the number of notes has changed.
    }
  }

  #showPrice(quote) {
    this.#amount = quote?.amount ?? null;
    const [each, total] = find("price").children;
    write(each, quote ? `${notes(quote.storage)} at ${money(quote.amount / quote.storage)}` : "");
    write(total, quote ? money(quote.amount, quote.currency) : "—");
    if (!this.#isBusy && !pendingPayment()) this.#enable();
  }

  #isValid() {
    const valid = storage.checkValidity();
    storage.setAttribute("aria-invalid", String(!valid));
    find("storage-error").hidden = valid;
    write(find("storage-error"), valid ? "" : "Enter a whole number from 1 to 999,999.");
    return valid;
  }

  // The payment

  async #payNew() {
    if (!this.#isValid()) {
      storage.focus();
      return;
    }
    const card = document.querySelector("input[name=card]:checked");
    // The key belongs to the order until the outcome is known.
    const payment = {
      key: crypto.randomUUID(),
      body: { storage: String(storage.valueAsNumber), payment_method: card.value },
      amount: this.#amount,
      began: Date.now(),
      unknown: false,
      paymentId: null,
    };
    storePayment(payment);
    find("outcome").hidden = true; // the previous order's
    await this.#pay(payment);
  }

  async #pay(payment) {
    this.#disable("Paying…");
    const attempt = await attemptOf(payment);
    this.#record(attempt);
    let response;
    for (let retries = 0; ; retries += 1) {
      response = await charge(payment.body, payment.key);
      attempt.responses.push(response);
      this.#record(attempt);
      this.#showExchange(response);
      if (response.body.code !== "idempotency_key_in_use" || retries === MOST_RETRIES) break;
      await pause(1000 * (response.retryAfter || 1)); // the request from before the reload is still running
    }
    if (response.status === 200) await this.#continue(payment, response.body);
    else this.#fail(payment, response);
  }

  /** Continue according to the payment's status at the API. */
  async #continue(payment, { id, status, code, amount, currency, storage: count }) {
    const price = `${money(amount, currency)} for ${notes(count)}`;
    if (status === "requires_action") {
      const identified = { ...payment, paymentId: id };
      storePayment(identified);
      await this.#authenticate(identified, { amount, currency });
    } else if (status === "failed") {
      const isRefused = code === "payment_intent_authentication_failure";
      const title = isRefused ? "Your bank did not authenticate you" : "The card was declined";
      this.#end({ tone: "bad", title, text: "Nothing was charged. Pay again, or choose another card." });
    } else if (status === "processing") {
      this.#end({ tone: "info", title: `${price} is processing`, text: "The bank has not confirmed the payment yet." });
    } else {
      this.#end({ tone: "ok", title: `Paid ${price}`, text: id });
    }
  }

  async #authenticate(payment, price) {
    this.#disable("Waiting for your bank…");
    this.#show({ tone: "info", title: "Your bank requires authentication", text: "Use the bank’s dialog." });
    const outcome = await authenticate(price);
    if (!outcome) {
      const text = "Nothing is charged until you authenticate.";
      this.#show({ tone: "warn", title: "The payment is not authenticated yet", text });
      this.#offer("Continue to your bank", () => this.#fetchStatus(payment));
      return;
    }
    try {
      await callConsole(`/payment_intents/${payment.paymentId}/authenticate`, { outcome });
    } catch {
      // Already authenticated or refused, perhaps in another tab. The status below shows which.
    }
    await this.#fetchStatus(payment);
  }

  /** Fetch the payment's status: only the API knows the outcome. */
  async #fetchStatus(payment) {
    this.#disable("Fetching the status…");
    const { status, body, retryAfter } = await fetchPayment(payment.paymentId);
    if (status === 200) return this.#continue(payment, body);
    if (status === 404) return this.#end({ tone: "bad", title: "The payment was not found", text: body.detail });
    const text = "The payment is not affected. Fetch the status again.";
    this.#show({ tone: "warn", title: "The status is unavailable", text });
    return this.#offer("Fetch the status", () => this.#fetchStatus(payment), retryAfter);
  }

  #fail(payment, response) {
    const problem = explained(response);
    if (problem.final) return this.#end(problem);
    const unknown = payment.unknown || problem.unknown;
    Object.assign(payment, { unknown });
    storePayment(payment);
    const earlier = `An earlier request may have charged the card. Repeat the payment. ${ONCE}`;
    this.#show(unknown && !problem.unknown ? { ...problem, text: earlier } : problem);
    // A new order could be a second charge.
    find("change").hidden = unknown;
    return this.#offer(unknown ? "Repeat the payment" : "Try again", () => this.#pay(payment), response.retryAfter);
  }

  #changeOrder() {
    removePayment();
    find("outcome").hidden = true;
    this.#enable();
    storage.focus();
  }

  // The page

  #disable(label) {
    this.#isBusy = true;
    find("order").disabled = true;
    find("change").hidden = true;
    this.#setButton(label, true);
  }

  #enable() {
    this.#isBusy = false;
    this.#action = () => this.#payNew();
    find("order").disabled = false;
    find("change").hidden = true;
    this.#setButton(this.#amount == null ? "Pay" : `Pay ${money(this.#amount)}`);
  }

  /** Enable the button for an action on the pending payment, after so many seconds. */
  async #offer(label, action, seconds = 0) {
    this.#action = action;
    for (let left = seconds; left > 0; left -= 1) {
      this.#setButton(`${label} in ${left} s`, true);
      await pause(1000);
      if (this.#action !== action) return;
    }
    this.#isBusy = false;
    this.#setButton(label);
  }

  /** Show a known outcome: the next payment gets a new key. */
  async #end(outcome) {
    removePayment();
    this.#show(outcome);
    this.#setButton(outcome.tone === "bad" ? "Not paid" : "Paid", true);
    if (outcome.tone !== "bad") find("pay").dataset.done = "";
    await pause(HOLD);
    delete find("pay").dataset.done;
    this.#enable();
  }

  #setButton(label, isDisabled = false) {
    // Not `disabled`, which would take the focus away.
    find("pay").setAttribute("aria-disabled", String(isDisabled));
    write(find("pay"), label);
  }

  #show({ tone, title, text }) {
    const outcome = find("outcome");
    outcome.hidden = false;
    outcome.dataset.tone = tone;
    write(outcome.firstChild, title);
    write(outcome.lastChild, text);
    announce(`${title}. ${text}`);
  }

  #showExchange({ request, status, type, retryAfter, body }) {
    find("exchange").hidden = false;
    find("exchange").lastElementChild.textContent = [
      `${request.method} ${request.url}`,
      ...Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`),
      `\n${JSON.stringify(request.body, null, 2)}\n`,
      status || "no response",
      ...(type ? [`Content-Type: ${type}`] : []),
      ...(retryAfter ? [`Retry-After: ${retryAfter}`] : []),
      `\n${JSON.stringify(body, null, 2)}`,
    ].join("\n");
  }
}

/** Return this page's attempt at a payment: the stored one after a reload, or a new one. */
async function attemptOf(payment) {
  const stored = storedAttempts().list.find(({ key }) => key === payment.key);
  if (stored) return stored;
  const card = document.querySelector("input[name=card]:checked").closest("label").querySelector(".number").textContent;
  const { key, body, amount, began } = payment;
  return { key, body, amount, began, card: `card ${card}`, hash: await scopedKey(key), responses: [] };
}

/** Let the customer authenticate a payment. Returns "succeed", "fail", or "" if the dialog was closed (Escape). */
function authenticate({ amount, currency }) {
  const dialog = find("bank");
  write(find("bank-text"), `notes-billing wants to charge ${money(amount, currency)} to your card ending in 3184.`);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
