// Stands for Lambda's runtime in Node: loads the function, then handles one event per line. See loop.py.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const [folder, handler, responses] = process.argv.slice(2);
const [module_, name] = handler.split(".");
const handle = require(path.join(folder, module_))[name];

async function respond(line) {
  if (line !== "usage") return handle(JSON.parse(line));
  const { user, system } = process.cpuUsage();
  return { cpu: (user + system) / 1e6 };
}

let received = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", async (chunk) => {
  received += chunk;
  if (!received.endsWith("\n")) return; // the next event comes after the response, so there is at most one line
  const line = received.trimEnd();
  received = "";
  fs.writeSync(Number(responses), JSON.stringify(await respond(line)) + "\n");
});
process.stdin.on("end", () => process.exit(0));
