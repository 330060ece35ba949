// State that survives a reload of this tab: the payment whose outcome is unknown, and this page's attempts.
// sessionStorage, not localStorage: another tab makes other payments.

const PENDING = "notes-billing.pending";
const ATTEMPTS = "notes-billing.attempts";
const MOST_ATTEMPTS = 50;

const read = (name) => JSON.parse(sessionStorage.getItem(name));

/** The payment in progress, {key, body, amount, began, unknown, paymentId}, or null. */
export const pendingPayment = () => read(PENDING);
export const storePayment = (payment) => sessionStorage.setItem(PENDING, JSON.stringify(payment));
export const removePayment = () => sessionStorage.removeItem(PENDING);

/** This page's attempts, oldest first (see Purchases.attempt), and the devstack's run in which they were made. */
export const storedAttempts = () => read(ATTEMPTS) ?? { run: null, list: [] };

export function storeAttempts(run, list) {
  sessionStorage.setItem(ATTEMPTS, JSON.stringify({ run, list: list.slice(-MOST_ATTEMPTS) }));
}

/**
 * The Idempotency-Key that Stripe receives for one of this page's keys. It relates Stripe's events to the attempt. The
 * service adds stage and caller (chalicelib/billing/payments.py, scoped_key), which are always the same on this machine.
 */
export async function scopedKey(key) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`dev\0local\0${key}`));
  return `notes-billing-${[...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
