// What became of a purchase, in words: its standing, and its four steps.

import { span, timeOfDay } from "./format.js";

const ok = (entry) => entry.status >= 200 && entry.status < 300;
const about = (event) => (entry) => entry.kind === event;

/** The standing: {text, tone, paid, declined}. */
export function standing(purchase) {
  const { payment } = purchase;
  if (!payment) return unpaid(purchase);
  if (purchase.topic.some(about("note_disputed"))) return { text: "Disputed", tone: "warn", paid: true };
  if (purchase.topic.some(about("note_refunded"))) return { text: "Refunded", tone: "soft", paid: true };
  if (payment.status === "succeeded") return { text: "Paid", tone: "ok", paid: true };
  if (payment.status === "processing") return { text: "Processing", tone: "warn" };
  if (payment.status === "requires_action") return { text: "Waits for the customer", tone: "warn" };
  if (payment.status === "canceled") return { text: "Canceled", tone: "soft" };
  return { text: "Declined", tone: "bad", declined: true };
}

function unpaid({ answer }) {
  if (!answer) return { text: "Paying", tone: "soft" };
  if (answer.status === 402) return { text: "Declined", tone: "bad", declined: true };
  if (answer.status === 0 || [500, 502, 504].includes(answer.status)) return { text: "Not known", tone: "warn" };
  return { text: "Not charged", tone: "soft" };
}

/**
 * The steps: [{name, title, state, note, entries}]. `state`: done, failed, busy (on its way), held (waits for somebody)
 * or none (will not come).
 */
export function steps(purchase) {
  const paidAt = Date.parse(purchase.charge.find(({ status }) => status === "succeeded")?.time);
  return [charge(purchase), webhook(purchase, paidAt), topic(purchase, paidAt), text(purchase, paidAt)];
}

function step(name, title, entries, state, note) {
  return { name, title, entries, state, note };
}

function charge(purchase) {
  const { payment, answer, charge: entries } = purchase;
  const made = (state, note) => step("charge", "Charge", entries, state, note);
  if (!payment) return answer ? made("none", "no charge") : made("busy", "on its way");
  if (payment.status === "succeeded") return made("done", timeOfDay(Date.parse(payment.time)));
  if (payment.status === "requires_action") return made("held", "at the bank");
  if (payment.status === "processing") return made("held", "processing");
  return made("failed", reason(payment.decline_code ?? payment.code ?? payment.status));
}

const REASONS = {
  generic_decline: "bank said no",
  payment_intent_authentication_failure: "not authenticated",
};

function reason(code) {
  return REASONS[code] ?? code.replaceAll("_", " ");
}

function webhook({ payment, webhook: entries }, paidAt) {
  const made = (state, note) => step("webhook", "Webhook", entries, state, note);
  const last = entries.at(-1);
  if (!last) return made(...toCome(payment));
  if (entries.some(ok) && ok(last)) return made("done", after(entries.find(ok), paidAt));
  return made("failed", `${last.status ?? "no answer"}, call ${last.attempt}`);
}

function topic(purchase, paidAt) {
  const made = (state, note) => step("topic", "Topic", purchase.topic, state, note);
  return purchase.topic.length ? made("done", after(purchase.topic[0], paidAt)) : made(...afterWebhook(purchase));
}

function text(purchase, paidAt) {
  const made = (state, note) => step("sms", "SMS", purchase.sms, state, note);
  return purchase.sms.length ? made("done", after(purchase.sms[0], paidAt)) : made(...afterWebhook(purchase));
}

/** What the webhook announces waits for it. */
function afterWebhook({ payment, webhook: attempts }) {
  return attempts.length && !ok(attempts.at(-1)) ? ["held", "after the webhook"] : toCome(payment);
}

const after = (entry, paidAt) => (paidAt ? `+${span(Date.parse(entry.time) - paidAt)}` : timeOfDay(Date.parse(entry.time)));

function toCome(payment) {
  if (payment?.status === "succeeded") return ["busy", "on its way"];
  if (["processing", "requires_action"].includes(payment?.status)) return ["held", "later"];
  return ["none", "none"];
}
