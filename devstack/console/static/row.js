// A purchase in the timeline.

import { duration, element, money, notes, timeOfDay, write } from "./format.js";
import { callConsole } from "./http.js";
import { coloured } from "./json.js";
import { statusOf, stepsOf } from "./status.js";

const STATES = { done: "done", failed: "failed", busy: "in progress", held: "waiting", none: "not expected" };
const MOST_ENTRIES = 5;
let rows = 0;

export class Row {
  #purchase;
  #open = null;
  #head = {};
  #steps = new Map();
  #details = element("pre", { className: "details", id: `details-${++rows}`, tabIndex: 0, hidden: true });

  constructor(purchase) {
    this.#purchase = purchase;
    for (const part of ["amount", "what", "pill", "time", "id"]) this.#head[part] = element("span", { className: part });
    const response = (this.#head.response = this.#button("response", "link"));
    for (const { name, title } of stepsOf(purchase)) {
      const button = this.#button(name, "step");
      button.append(element("i"), element("b", {}, title), element("span"));
      this.#steps.set(name, button);
    }
    const items = [...this.#steps.values()].map((step) => element("li", {}, step));
    const { amount, what, pill, time, id } = this.#head;
    this.element = element(
      "li",
      { className: "panel purchase" },
      element("p", { className: "line" }, amount, what, time, pill),
      element("ol", { className: "steps", "aria-label": "Steps" }, ...items),
      element("p", { className: "foot" }, id, response),
      this.#details,
    );
    this.update();
  }

  /** Show the purchase as it is now. */
  update() {
    const { amount, attempt, began, currency, paymentId, response, storage } = this.#purchase;
    const { text, tone } = statusOf(this.#purchase);
    write(this.#head.amount, amount == null ? "…" : money(amount, currency));
    write(this.#head.what, [storage && notes(storage), attempt?.card].filter(Boolean).join(" · "));
    write(this.#head.time, timeOfDay(began));
    write(this.#head.pill, text);
    this.#head.pill.dataset.tone = tone;
    write(this.#head.id, paymentId ?? response?.body.code ?? "");
    this.#head.response.hidden = !response;
    if (response) {
      const calls = attempt.responses.length > 1 ? `, ${attempt.responses.length} calls` : "";
      write(this.#head.response, `API ${response.status || "did not respond"} in ${duration(response.milliseconds)}${calls}`);
    }
    for (const step of stepsOf(this.#purchase)) this.#updateStep(step);
  }

  #updateStep({ name, title, state, note, entries }) {
    const button = this.#steps.get(name);
    button.dataset.state = state;
    write(button.lastChild, note);
    // A step without entries keeps its place in the tab order, and is announced as disabled.
    button.setAttribute("aria-disabled", String(!entries.length));
    button.setAttribute("aria-label", `${title}: ${STATES[state]}, ${note}${entries.length ? ". Show the JSON" : ""}`);
    if (this.#open === name) this.#fill(name);
  }

  #button(name, className) {
    const attributes = { "aria-expanded": "false", "aria-controls": this.#details.id };
    const button = element("button", { type: "button", className, ...attributes });
    button.addEventListener("click", () => this.#toggle(name, button));
    return button;
  }

  #toggle(name, button) {
    if (button.getAttribute("aria-disabled") === "true") return;
    this.#open = this.#open === name ? null : name;
    for (const other of [...this.#steps.values(), this.#head.response]) {
      other.setAttribute("aria-expanded", String(other === button && this.#open !== null));
    }
    this.#details.hidden = this.#open === null;
    if (this.#open) this.#fill(name);
  }

  async #fill(name) {
    const values = name === "response" ? this.#exchanges() : await this.#entries(name);
    if (this.#open !== name) return;
    this.#details.setAttribute("aria-label", `JSON of the ${name}`);
    this.#details.replaceChildren(...coloured(values.length === 1 ? values[0] : values));
  }

  #exchanges() {
    const { key, responses } = this.#purchase.attempt;
    return responses.map(({ status, body, request: { method, url, body: sent } }) => (
      { request: { method, url, body: sent, idempotency_key: key }, status, body }
    ));
  }

  async #entries(name) {
    try {
      const entries = this.#purchase[name].slice(-MOST_ENTRIES);
      return await Promise.all(entries.map(({ number }) => callConsole(`/events/${number}`)));
    } catch (error) {
      return [{ error: error.message }];
    }
  }
}
