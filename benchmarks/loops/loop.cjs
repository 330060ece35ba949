// Lambda's part of a Node rival: loads the function, then answers an event a line. loop.py says why.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const [folder, handler, answers] = process.argv.slice(2);
const [module_, name] = handler.split(".");
const handle = require(path.join(folder, module_))[name];
const context = {
  awsRequestId: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
  functionName: "billing",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:billing",
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => 28000,
};

async function answer(line) {
  if (line === "usage") {
    const { user, system } = process.cpuUsage();
    return { cpu: (user + system) / 1e6 };
  }
  return handle(JSON.parse(line), context);
}

let received = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", async (chunk) => {
  received += chunk;
  const end = received.indexOf("\n");
  if (end < 0) return; // the next event comes after the answer, so there is never more than one line
  const line = received.slice(0, end);
  received = "";
  fs.writeSync(Number(answers), JSON.stringify(await answer(line)) + "\n");
});
process.stdin.on("end", () => process.exit(0));
