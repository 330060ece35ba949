// What both Node rivals share: they differ in how they read the key and how long they keep Stripe's client.
"use strict";
const Stripe = require("stripe");

const base = new URL(process.env.STRIPE_API_BASE);

exports.client = (key) =>
  new Stripe(key, { host: base.hostname, port: base.port, protocol: base.protocol.slice(0, -1) });

const price = (storage) => storage * (storage <= 10 ? 400 : storage <= 100 ? 200 : 100);
const response = (statusCode, body) => ({
  statusCode,
  headers: { "Access-Control-Allow-Origin": "*", "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

exports.charge = async (stripe, event) => {
  const { storage, source } = JSON.parse(event.body);
  const params = {
    amount: price(storage),
    currency: "usd",
    confirm: true,
    automatic_payment_methods: { enabled: true, allow_redirects: "never" },
    payment_method_data: { type: "card", card: { token: source } },
    description: "Scratch charge",
    metadata: { storage: String(storage) },
  };
  try {
    const intent = await stripe.paymentIntents.create(params, { idempotencyKey: event.headers["Idempotency-Key"] });
    return response(200, { id: intent.id, status: intent.status, amount: intent.amount, storage });
  } catch (error) {
    return response(error.type === "StripeCardError" ? 402 : 500, { error: error.message });
  }
};
