// A purchase's status and its four steps, in words.

import { duration, timeOfDay } from "./format.js";

const DECLINED = { text: "Declined", tone: "bad", declined: true };
// How a payment's status is shown; every other status is a decline.
const STATUSES = {
  succeeded: { text: "Paid", tone: "ok", paid: true },
  processing: { text: "Processing", tone: "warn" },
  requires_action: { text: "Authenticating", tone: "warn" },
  canceled: { text: "Canceled", tone: "soft" },
};
const REASONS = { generic_decline: "declined by bank", payment_intent_authentication_failure: "not authenticated" };

const hasSucceeded = (attempt) => attempt.status >= 200 && attempt.status < 300;

/** The status: {text, tone, paid, declined}. */
export function statusOf({ payment, response, topic }) {
  const hasEvent = (kind) => topic.some((entry) => entry.kind === kind);
  if (payment && hasEvent("note_disputed")) return { text: "Disputed", tone: "warn", paid: true };
  if (payment && hasEvent("note_refunded")) return { text: "Refunded", tone: "soft", paid: true };
  if (payment) return STATUSES[payment.status] ?? DECLINED;
  if (!response) return { text: "Paying", tone: "soft" };
  if (response.status === 402) return DECLINED;
  if ([0, 500, 502, 504].includes(response.status)) return { text: "Unknown", tone: "warn" };
  return { text: "Not charged", tone: "soft" };
}

/**
 * The steps by name, each as [state, note]. `state`: done, failed, busy (in progress), held (waits for somebody) or none
 * (not expected).
 */
export function stepsOf(purchase) {
  const paidAt = Date.parse(purchase.charge.find(({ status }) => status === "succeeded")?.time);
  const timeAfterCharge = ({ time }) => (paidAt ? `+${duration(Date.parse(time) - paidAt)}` : timeOfDay(Date.parse(time)));
  return {
    charge: chargeState(purchase),
    webhook: webhookState(purchase, timeAfterCharge),
    topic: publishState(purchase, purchase.topic, timeAfterCharge),
    sms: publishState(purchase, purchase.sms, timeAfterCharge),
  };
}

function chargeState({ payment, response }) {
  if (!payment) return response ? ["none", "no charge"] : ["busy", "in progress"];
  if (payment.status === "succeeded") return ["done", timeOfDay(Date.parse(payment.time))];
  if (payment.status === "requires_action") return ["held", "at the bank"];
  if (payment.status === "processing") return ["held", "processing"];
  const code = payment.decline_code ?? payment.code ?? payment.status;
  return ["failed", REASONS[code] ?? code.replaceAll("_", " ")];
}

function webhookState({ payment, webhook }, timeAfterCharge) {
  const last = webhook.at(-1);
  if (!last) return expectedState(payment);
  if (hasSucceeded(last)) return ["done", timeAfterCharge(webhook.find(hasSucceeded))];
  return ["failed", `${last.status ?? "no response"}, attempt ${last.attempt}`];
}

/** The state of what the webhook causes: the message on the topic, and the text. */
function publishState({ payment, webhook }, entries, timeAfterCharge) {
  if (entries.length) return ["done", timeAfterCharge(entries[0])];
  return webhook.length && !hasSucceeded(webhook.at(-1)) ? ["held", "after the webhook"] : expectedState(payment);
}

function expectedState(payment) {
  if (payment?.status === "succeeded") return ["busy", "in progress"];
  if (["processing", "requires_action"].includes(payment?.status)) return ["held", "later"];
  return ["none", "none"];
}
