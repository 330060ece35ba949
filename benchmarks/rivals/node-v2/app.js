// The original's way: aws-sdk 2 begins to read the key when the module is loaded, stripe charges.
"use strict";
const AWS = require("aws-sdk");
const Stripe = require("stripe");

const ssm = new AWS.SSM({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION });
const reading = ssm.getParameter({ Name: process.env.STRIPE_KEY_PARAMETER, WithDecryption: true }).promise();
const base = new URL(process.env.STRIPE_API_BASE);

const price = (storage) => storage * (storage <= 10 ? 400 : storage <= 100 ? 200 : 100);
const answer = (statusCode, body) => ({
  statusCode,
  headers: { "Access-Control-Allow-Origin": "*", "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

exports.handler = async (event) => {
  const { storage, source } = JSON.parse(event.body);
  const key = (await reading).Parameter.Value;
  const stripe = new Stripe(key, { host: base.hostname, port: base.port, protocol: base.protocol.slice(0, -1) });
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
    return answer(200, { id: intent.id, status: intent.status, amount: intent.amount, storage });
  } catch (error) {
    return answer(error.type === "StripeCardError" ? 402 : 500, { error: error.message });
  }
};
