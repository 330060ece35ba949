// The purchases: this page's attempts, joined with the devstack's events.

/** A purchase. `charge`, `webhook`, `topic` and `sms` are its stream entries by step, oldest first. */
class Purchase {
  paymentId = null;
  amount = null;
  currency = "usd";
  storage = null;
  began = Date.now();
  // This page's: {key, hash, body, card, amount, began, responses: [{status, milliseconds, body, request}]}.
  attempt = null;
  charge = [];
  webhook = [];
  topic = [];
  sms = [];

  /** The latest payment event. */
  get payment() {
    return this.charge.at(-1);
  }

  /** The API's latest response. */
  get response() {
    return this.attempt?.responses.at(-1);
  }
}

/** All purchases of a run, newest first. */
export class Purchases {
  list = [];
  #onChange;
  #byPayment = new Map();
  #byHash = new Map();
  #paymentOfEvent = new Map();
  #unmatchedWebhooks = new Map();

  /** `onChange` gets each purchase that was added or changed. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Add or change an attempt of this page. */
  attempt(attempt) {
    const purchase = this.#byHash.get(attempt.hash) ?? new Purchase();
    purchase.attempt = attempt;
    purchase.began = Math.min(purchase.began, attempt.began);
    purchase.amount ??= attempt.amount;
    purchase.storage ??= Number(attempt.body.storage);
    this.#byHash.set(attempt.hash, purchase);
    const paymentId = purchase.response?.body.id ?? purchase.response?.body.payment_id;
    if (paymentId) this.#byPayment.set(paymentId, purchase);
    this.#changed(purchase);
  }

  /** Add an entry of the stream. */
  apply(entry) {
    if (entry.event_id && entry.payment_id) this.#learnPayment(entry.event_id, entry.payment_id);
    if (entry.kind === "payment") this.#applyPayment(entry);
    else if (entry.kind === "webhook") this.#applyWebhook(entry);
    else if (entry.kind === "sms") this.#applyStep("sms", entry.payment_id, entry);
    else if (entry.kind.startsWith("note_")) this.#applyStep("topic", entry.payment_id, entry);
  }

  #applyPayment(entry) {
    const purchase = this.#purchaseOf(entry.payment_id, entry, this.#byHash.get(entry.idempotency_key));
    const { amount, currency, storage } = entry;
    Object.assign(purchase, { amount, currency, storage });
    this.#applyStep("charge", entry.payment_id, entry);
  }

  #applyWebhook(entry) {
    const paymentId = this.#paymentOfEvent.get(entry.event_id);
    if (paymentId) return this.#applyStep("webhook", paymentId, entry);
    this.#unmatchedWebhooks.set(entry.event_id, [...(this.#unmatchedWebhooks.get(entry.event_id) ?? []), entry]);
  }

  /** Store the payment of a Stripe event, whose webhook may be in the stream before the event itself. */
  #learnPayment(eventId, paymentId) {
    this.#paymentOfEvent.set(eventId, paymentId);
    for (const entry of this.#unmatchedWebhooks.get(eventId) ?? []) this.#applyStep("webhook", paymentId, entry);
    this.#unmatchedWebhooks.delete(eventId);
  }

  #applyStep(step, paymentId, entry) {
    const purchase = this.#purchaseOf(paymentId, entry);
    purchase[step].push(entry);
    this.#changed(purchase);
  }

  /** Return a payment's purchase. `attempted`: the purchase of this page's attempt, if the payment is new. */
  #purchaseOf(paymentId, entry, attempted) {
    const purchase = this.#byPayment.get(paymentId) ?? attempted ?? new Purchase();
    this.#byPayment.set(paymentId, purchase);
    if (!purchase.paymentId && !purchase.attempt) purchase.began = Date.parse(entry.time);
    purchase.paymentId = paymentId;
    return purchase;
  }

  #changed(purchase) {
    if (!this.list.includes(purchase)) {
      const index = this.list.findIndex((other) => other.began <= purchase.began);
      this.list.splice(index < 0 ? this.list.length : index, 0, purchase);
    }
    this.#onChange(purchase);
  }
}
