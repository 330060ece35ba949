// Values as a person reads them, and elements as they are made.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** An amount in the currency's minor unit (cents), such as $42.00. */
export function money(amount, currency = "usd") {
  return new Intl.NumberFormat("en-US", { style: "currency", currency }).format(amount / 100);
}

export function notes(count) {
  return `${count.toLocaleString("en-US")} note${count === 1 ? "" : "s"}`;
}

/** The time of day of a moment (milliseconds since 1970). */
export function timeOfDay(moment) {
  return clock.format(moment);
}

/** A span of milliseconds: 84 ms, 3.2 s, 2 min. */
export function span(milliseconds) {
  const value = Math.max(0, Math.round(milliseconds));
  if (value < 1000) return `${value} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(1)} s`;
  return `${Math.round(value / 60_000)} min`;
}

/** Make an element. Names with a hyphen and `role` are attributes, the others properties. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child != null && child !== ""));
  return made;
}

/** Set an element's text if it is another one, so that what has not changed is not read out again. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Say something to those who listen to the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
