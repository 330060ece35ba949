// A purchase in the timeline.

import { coloured, duration, find, money, notes, timeOfDay, write } from "./format.js";
import { callConsole } from "./http.js";
import { statusOf, stepsOf } from "./status.js";

const STATES = { done: "done", failed: "failed", busy: "in progress", held: "waiting", none: "not expected" };
const MOST_ENTRIES = 5;
let rows = 0;

export class Row {
  element = find("purchase").content.firstElementChild.cloneNode(true);
  #purchase;
  #open = null; // the name of the step whose JSON is shown, or "response"
  #buttons = this.element.querySelectorAll("button");
  #details = this.element.querySelector(".details");

  constructor(purchase) {
    this.#purchase = purchase;
    this.#details.id = `details-${++rows}`;
    for (const button of this.#buttons) {
      button.setAttribute("aria-controls", this.#details.id);
      button.addEventListener("click", () => this.#toggle(button));
    }
    this.update();
  }

  /** Show the purchase as it is now. */
  update() {
    const { amount, attempt, began, currency, paymentId, response, storage } = this.#purchase;
    const { text, tone } = statusOf(this.#purchase);
    this.#write(".amount", amount == null ? "…" : money(amount, currency));
    this.#write(".what", [storage && notes(storage), attempt?.card].filter(Boolean).join(" · "));
    this.#write(".time", timeOfDay(began));
    this.#write(".pill", text).dataset.tone = tone;
    this.#write(".id", paymentId ?? response?.body.code ?? "");
    if (response) {
      const calls = attempt.responses.length > 1 ? `, ${attempt.responses.length} calls` : "";
      const outcome = `API ${response.status || "did not respond"} in ${duration(response.milliseconds)}${calls}`;
      this.#write(".link", outcome).hidden = false;
    }
    for (const [name, [state, note]] of Object.entries(stepsOf(this.#purchase))) this.#updateStep(name, state, note);
  }

  #write(selector, text) {
    const target = this.element.querySelector(selector);
    write(target, text);
    return target;
  }

  #updateStep(name, state, note) {
    const button = this.element.querySelector(`[name=${name}]`);
    const [, title, shown] = button.children;
    const isEmpty = !this.#purchase[name].length;
    button.dataset.state = state;
    write(shown, note);
    // A step without entries keeps its place in the tab order, and is announced as disabled.
    button.ariaDisabled = String(isEmpty);
    button.ariaLabel = `${title.textContent}: ${STATES[state]}, ${note}${isEmpty ? "" : ". Show the JSON"}`;
    if (this.#open === name) this.#fill(name);
  }

  #toggle({ name, ariaDisabled }) {
    if (ariaDisabled === "true") return;
    this.#open = this.#open === name ? null : name;
    for (const button of this.#buttons) button.ariaExpanded = String(button.name === this.#open);
    this.#details.hidden = this.#open === null;
    if (this.#open) this.#fill(name);
  }

  async #fill(name) {
    const values = name === "response" ? this.#exchanges() : await this.#entries(name);
    if (this.#open !== name) return;
    this.#details.ariaLabel = `JSON of the ${name}`;
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
