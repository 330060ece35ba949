// JSON as text in colours.

import { element } from "./format.js";

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return nodes for a value. */
export function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    nodes.push(text.slice(end, match.index));
    const kind = match[2] ? "name" : match[1] ? "string" : match[3] ? "word" : "figure";
    nodes.push(element("span", { className: kind }, match[1] ?? match[0]), match[2] ?? "");
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes.filter(Boolean);
}
