// What must outlive a reload of this tab: the payment whose outcome is not known, and what this page asked for.
// sessionStorage, not localStorage: another tab makes other payments.

const PENDING = "notes-billing.pending";
const ATTEMPTS = "notes-billing.attempts";
const MOST_ATTEMPTS = 50;

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

/** The payment under way, {key, body, amount, began, unknown, paymentId}, or null. */
export const pending = () => read(PENDING);
export const remember = (payment) => sessionStorage.setItem(PENDING, JSON.stringify(payment));
export const forget = () => sessionStorage.removeItem(PENDING);

/** What this page asked for, oldest first; see Purchases.attempt. */
export const attempts = () => read(ATTEMPTS)?.list ?? [];

export function keepAttempts(run, list) {
  sessionStorage.setItem(ATTEMPTS, JSON.stringify({ run, list: list.slice(-MOST_ATTEMPTS) }));
}

/** The devstack's run that the attempts were made in. */
export const runOfAttempts = () => read(ATTEMPTS)?.run ?? null;

/**
 * The Idempotency-Key that Stripe gets for one of this page's, by which its events are found again: the service scopes
 * it to stage and caller (chalicelib/payments.py, scoped_key), and on this machine they are always the same.
 */
export async function scopedKey(key) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`dev\0local\0${key}`));
  return `notes-billing-${[...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
