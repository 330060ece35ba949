// A purchase in the timeline.

import { element, money, notes, span, timeOfDay, write } from "./format.js";
import { ask } from "./http.js";
import { coloured } from "./json.js";
import { standing, steps } from "./steps.js";

const STATES = { done: "done", failed: "failed", busy: "on its way", held: "waiting", none: "does not follow" };
const MOST_SHOWN = 5;
let rows = 0;

export class Row {
  #purchase;
  #open = null;
  #head = {};
  #steps = new Map();
  #panel;

  constructor(purchase) {
    this.#purchase = purchase;
    const number = ++rows;
    this.#panel = element("pre", { className: "behind", id: `behind-${number}`, tabIndex: 0, hidden: true });
    for (const part of ["amount", "what", "pill", "time", "id"]) this.#head[part] = element("span", { className: part });
    this.#head.answer = this.#button("answer", "link");
    const list = element("ol", { className: "steps", "aria-label": "Steps" });
    for (const { name, title } of steps(purchase)) {
      const button = this.#button(name, "step");
      button.append(element("i", {}), element("b", {}, title), element("span", {}));
      this.#steps.set(name, button);
      list.append(element("li", {}, button));
    }
    const { amount, what, pill, time, id, answer } = this.#head;
    this.element = element(
      "li",
      { className: "panel purchase" },
      element("p", { className: "line" }, amount, what, time, pill),
      list,
      element("p", { className: "foot" }, id, answer),
      this.#panel,
    );
    this.update();
  }

  update() {
    const purchase = this.#purchase;
    const { text, tone } = standing(purchase);
    write(this.#head.amount, purchase.amount == null ? "…" : money(purchase.amount, purchase.currency));
    write(this.#head.what, [purchase.storage && notes(purchase.storage), purchase.attempt?.card].filter(Boolean).join(" · "));
    write(this.#head.time, timeOfDay(purchase.began));
    write(this.#head.pill, text);
    this.#head.pill.dataset.tone = tone;
    write(this.#head.id, purchase.paymentId ?? purchase.answer?.body?.code ?? "");
    this.#updateAnswer();
    for (const step of steps(purchase)) this.#updateStep(step);
  }

  #updateStep({ name, title, state, note, entries }) {
    const button = this.#steps.get(name);
    button.dataset.state = state;
    write(button.lastChild, note);
    // A step that has nothing behind it stays reachable, and says so.
    button.setAttribute("aria-disabled", String(!entries.length));
    button.setAttribute("aria-label", `${title}: ${STATES[state]}, ${note}${entries.length ? ". Show the JSON" : ""}`);
    if (this.#open === name) this.#fill(name);
  }

  #updateAnswer() {
    const { answer, attempt } = this.#purchase;
    const button = this.#head.answer;
    button.hidden = !answer;
    if (!answer) return;
    const times = attempt.answers.length > 1 ? `, ${attempt.answers.length} calls` : "";
    write(button, `API ${answer.status || "did not answer"} in ${span(answer.milliseconds)}${times}`);
  }

  #button(name, className) {
    const button = element("button", { type: "button", className, "aria-expanded": "false" });
    button.setAttribute("aria-controls", this.#panel.id);
    button.addEventListener("click", () => this.#toggle(name, button));
    return button;
  }

  #toggle(name, button) {
    if (button.getAttribute("aria-disabled") === "true") return;
    this.#open = this.#open === name ? null : name;
    for (const other of [...this.#steps.values(), this.#head.answer]) {
      other.setAttribute("aria-expanded", String(other === button && this.#open !== null));
    }
    this.#panel.hidden = this.#open === null;
    if (this.#open) this.#fill(name);
  }

  async #fill(name) {
    const behind = name === "answer" ? this.#exchanges() : await this.#entries(name);
    if (this.#open !== name) return;
    this.#panel.setAttribute("aria-label", `JSON behind the ${name}`);
    this.#panel.replaceChildren(...coloured(behind.length === 1 ? behind[0] : behind));
  }

  #exchanges() {
    const { key, answers } = this.#purchase.attempt;
    return answers.map(({ status, body, request }) => ({ request: { ...request, idempotency_key: key, headers: undefined }, status, body }));
  }

  async #entries(name) {
    const last = this.#purchase[name].slice(-MOST_SHOWN);
    try {
      return await Promise.all(last.map(({ number }) => ask(`/events/${number}`)));
    } catch (error) {
      return [{ error: error.message }];
    }
  }
}
