// JSON as coloured text.

import { element } from "./format.js";

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return the nodes that show a value. */
export function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const kind = match[2] ? "name" : match[1] ? "string" : "literal";
    nodes.push(text.slice(end, match.index), element("span", { className: kind }, match[1] ?? match[0]), match[2] ?? "");
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}
