// An answer of the API -> what a person reads, and what may be done next.

/**
 * Returns {title, text, tone, final}. `final`: the outcome is known and the key is done with. Otherwise `unknown` says
 * whether the card may have been charged, and the same request may be repeated with the same key.
 */
export function explained({ status, body }) {
  const code = body?.code;
  if (status === 0) {
    return open(true, "The service can’t be reached", "If the request got through, the card was charged. Repeat it: with "
      + "the same key the card is charged once at most.");
  }
  if (status === 402) return final(body.detail, "Nothing was charged. Choose another card.");
  if (code === "invalid_request") return final("This order can’t be placed", fields(body));
  if (code === "idempotency_key_reused") return final("This was another order’s key", "Pay again: it gets a new one.");
  if (code === "idempotency_key_in_use") {
    return open(true, "The first request is still running", "Repeat it in a moment, with the same key.");
  }
  if (code === "stripe_key_unavailable") {
    return open(false, "Payments are not available for the moment", "Nothing was charged. Try again shortly: the "
      + "service could not read its Stripe key.");
  }
  if (code === "stripe_key_rejected") {
    return open(false, "Payments are not available", "Nothing was charged. Stripe refuses the service’s key: its "
      + "operator must act. Then try again.");
  }
  if (code === "rate_limited") return open(false, "Too many payments at once", "Nothing was charged. Try again shortly.");
  if (code === "outcome_unknown") {
    return open(true, "Stripe did not answer in time", "It is not known yet whether the card was charged. Repeat the "
      + "payment: with the same key the card is charged once at most.");
  }
  if (status >= 500) {
    return open(true, "The payment could not be made", "No charge is known. Repeat the payment: with the same key the card "
      + "is charged once at most.");
  }
  return final(body?.title ?? "Something went wrong", body?.detail ?? `The service answered ${status}.`);
}

function fields(body) {
  const wrong = (body.errors ?? []).map(({ field, detail }) => `${field} ${detail}`);
  return wrong.length ? `${wrong.join("; ")}.` : body.detail;
}

const final = (title, text) => ({ title, text, tone: "bad", final: true, unknown: false });
const open = (unknown, title, text) => ({ title, text, tone: "warn", final: false, unknown });
