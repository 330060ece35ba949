// The API's error responses -> what a person reads, and what they can do next.

export const ONCE = "With the same key, the card is charged at most once.";

// Problems by `code`: [whether the card may have been charged, title, text]. All can be retried with the same key.
const RETRYABLE = {
  idempotency_key_in_use: [true, "The first request is still running", "Repeat it in a moment, with the same key."],
  stripe_key_unavailable: [
    false, "Payments are temporarily unavailable",
    "Nothing was charged. Try again shortly. The service could not read its Stripe key.",
  ],
  stripe_key_rejected: [
    false, "Payments are unavailable",
    "Nothing was charged. Stripe rejects the service’s key. Its operator must store a new key. Then try again.",
  ],
  rate_limited: [false, "Too many payments at once", "Nothing was charged. Try again shortly."],
  outcome_unknown: [
    true, "Stripe did not respond in time",
    `It is not known yet whether the card was charged. Repeat the payment. ${ONCE}`,
  ],
};

/**
 * Returns {title, text, tone, final, unknown}. `final`: the outcome is known, and the next payment needs a new key.
 * Otherwise the same request can be repeated with the same key, and `unknown` is true if the card may have been charged.
 */
export function explained({ status, body }) {
  if (status === 0) {
    return retryable(true, "The service can’t be reached", `The request may have charged the card. Repeat it. ${ONCE}`);
  }
  if (status === 402) return final(body.detail, "Nothing was charged. Choose another card.");
  if (body.code === "invalid_request") return final("The order is invalid", fieldErrors(body));
  if (body.code === "idempotency_key_reused") return final("The key belongs to another order", "Pay again with a new key.");
  if (RETRYABLE[body.code]) return retryable(...RETRYABLE[body.code]);
  if (status >= 500) return retryable(true, "The payment failed", `No charge is known. Repeat the payment. ${ONCE}`);
  return final(body.title ?? "The payment failed", body.detail ?? `The service returned status ${status}.`);
}

function fieldErrors(body) {
  const errors = (body.errors ?? []).map(({ field, detail }) => `${field} ${detail}`);
  return errors.length ? `${errors.join("; ")}.` : body.detail;
}

const final = (title, text) => ({ title, text, tone: "bad", final: true, unknown: false });
const retryable = (unknown, title, text) => ({ title, text, tone: "warn", final: false, unknown });
