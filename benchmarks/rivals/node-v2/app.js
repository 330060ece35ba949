// The original's way: aws-sdk 2 starts to read the key when the module is loaded; each request creates a Stripe client.
"use strict";
const AWS = require("aws-sdk");
const { charge, client } = require("./charge.js");

const ssm = new AWS.SSM({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION });
const reading = ssm.getParameter({ Name: process.env.STRIPE_KEY_PARAMETER, WithDecryption: true }).promise();

exports.handler = async (event) => charge(client((await reading).Parameter.Value), event);
