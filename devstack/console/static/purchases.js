// The purchases: what this page asked for and what the devstack tells, brought together.

/** A purchase. Its entries are the stream's, by step, oldest first. */
class Purchase {
  paymentId = null;
  amount = null;
  currency = "usd";
  storage = null;
  began = Date.now();
  // This page's: {key, hash, body, card, amount, began, answers: [{status, milliseconds, body, request}]}.
  attempt = null;
  charge = [];
  webhook = [];
  topic = [];
  sms = [];

  /** The charge as Stripe told of it last. */
  get payment() {
    return this.charge.at(-1);
  }

  get answer() {
    return this.attempt?.answers.at(-1);
  }
}

/** All of them, newest first. Dispatches `change` with the purchase as detail, and `reset`. */
export class Purchases extends EventTarget {
  list = [];
  #byPayment = new Map();
  #byHash = new Map();
  #paymentOfEvent = new Map();
  #webhooksToCome = new Map();

  /** Add what this page asks for, before it does. */
  attempt(attempt) {
    const purchase = this.#byHash.get(attempt.hash) ?? new Purchase();
    purchase.attempt = attempt;
    purchase.began = Math.min(purchase.began, attempt.began);
    purchase.amount ??= attempt.amount;
    purchase.storage ??= Number(attempt.body.storage);
    this.#byHash.set(attempt.hash, purchase);
    const paymentId = attempt.answers.at(-1)?.body?.id ?? attempt.answers.at(-1)?.body?.payment_id;
    if (paymentId) this.#byPayment.set(paymentId, purchase);
    this.#changed(purchase);
  }

  /** Add an entry of the stream. */
  apply(entry) {
    if (entry.event_id && entry.payment_id) this.#learn(entry.event_id, entry.payment_id);
    if (entry.kind === "payment") this.#applyPayment(entry);
    else if (entry.kind === "webhook") this.#applyWebhook(entry);
    else if (entry.kind === "sms") this.#applyTo(entry.payment_id, "sms", entry);
    else if (entry.kind.startsWith("note_")) this.#applyTo(entry.payment_id, "topic", entry);
  }

  /** Forget all: the devstack was started anew. */
  reset() {
    this.list = [];
    for (const map of [this.#byPayment, this.#byHash, this.#paymentOfEvent, this.#webhooksToCome]) map.clear();
    this.dispatchEvent(new Event("reset"));
  }

  #applyPayment(entry) {
    const purchase = this.#byPayment.get(entry.payment_id) ?? this.#byHash.get(entry.idempotency_key) ?? new Purchase();
    if (!purchase.paymentId) {
      purchase.paymentId = entry.payment_id;
      this.#byPayment.set(entry.payment_id, purchase);
      if (!purchase.attempt) purchase.began = Date.parse(entry.time);
    }
    const { amount, currency, storage } = entry;
    Object.assign(purchase, { amount, currency, storage });
    purchase.charge.push(entry);
    this.#changed(purchase);
  }

  #applyWebhook(entry) {
    const paymentId = this.#paymentOfEvent.get(entry.event_id);
    if (paymentId) return this.#applyTo(paymentId, "webhook", entry);
    const waiting = this.#webhooksToCome.get(entry.event_id) ?? [];
    this.#webhooksToCome.set(entry.event_id, [...waiting, entry]);
  }

  /** Remember whose event it is: an event's webhook may be delivered before the event itself is told of. */
  #learn(eventId, paymentId) {
    this.#paymentOfEvent.set(eventId, paymentId);
    const waiting = this.#webhooksToCome.get(eventId) ?? [];
    this.#webhooksToCome.delete(eventId);
    for (const entry of waiting) this.#applyTo(paymentId, "webhook", entry);
  }

  #applyTo(paymentId, step, entry) {
    let purchase = this.#byPayment.get(paymentId);
    if (!purchase) {
      purchase = new Purchase();
      purchase.paymentId = paymentId;
      purchase.began = Date.parse(entry.time);
      this.#byPayment.set(paymentId, purchase);
    }
    purchase[step].push(entry);
    this.#changed(purchase);
  }

  #changed(purchase) {
    if (!this.list.includes(purchase)) {
      const index = this.list.findIndex((other) => other.began <= purchase.began);
      this.list.splice(index < 0 ? this.list.length : index, 0, purchase);
    }
    this.dispatchEvent(new CustomEvent("change", { detail: purchase }));
  }
}
