// How values are shown, and helpers for elements.

/** An amount in the currency's minor unit (cents), such as $42.00. */
export function money(amount, currency = "usd") {
  return new Intl.NumberFormat("en-US", { style: "currency", currency }).format(amount / 100);
}

export const number = (value) => value.toLocaleString("en-US");
export const notes = (count) => `${number(count)} note${count === 1 ? "" : "s"}`;

/** The time of day of a Date, or of a moment in milliseconds since 1970. */
export const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }).format;

/** A duration in milliseconds: 84 ms, 3.2 s, 2 min. */
export function duration(milliseconds) {
  const value = Math.max(0, Math.round(milliseconds));
  if (value < 1000) return `${value} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(1)} s`;
  return `${Math.round(value / 60_000)} min`;
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return the nodes that show a value as coloured JSON. */
export function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = Object.assign(document.createElement("span"), { textContent: match[1] ?? match[0] });
    token.className = match[2] ? "name" : match[1] ? "string" : "literal";
    nodes.push(text.slice(end, match.index), token, match[2] ?? "");
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}

export const find = (id) => document.getElementById(id);

/** Set an element's text only if it differs, so that screen readers do not repeat unchanged text. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Announce a text to screen readers. */
export const announce = (text) => Object.assign(find("announcer"), { textContent: text });

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
