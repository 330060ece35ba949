// The fastest way known in Node: only aws-sdk 3's SSM client, one Stripe client, everything bundled into one file.
"use strict";
const { SSMClient, GetParameterCommand } = require("@aws-sdk/client-ssm");
const { charge, client } = require("./charge.js");

const ssm = new SSMClient({});
const reading = ssm.send(new GetParameterCommand({ Name: process.env.STRIPE_KEY_PARAMETER, WithDecryption: true }));
let stripe;

exports.handler = async (event) => charge((stripe ??= client((await reading).Parameter.Value)), event);
