// The switches that turn faults on and off.

import { announce, element, find } from "./format.js";
import { callConsole } from "./http.js";

const inputs = new Map();

/** Show the server's state of the switches. */
export function showFaults({ switches, key }) {
  if (!inputs.size) build(switches);
  for (const { name, on } of switches) inputs.get(name).checked = on;
  find("key").textContent = `(${key})`;
  const count = switches.filter(({ on }) => on).length;
  find("faults-on").hidden = !count;
  find("faults-on").textContent = `${count} fault${count === 1 ? "" : "s"} on`;
}

for (const [id, path, done] of [
  ["heal", "/heal", "All faults are off."],
  ["rotate", "/rotate-key", "The key was rotated."],
  ["restart", "/restart", "A new container is running."],
]) {
  find(id).addEventListener("click", () => send(find(id), path, {}, done));
}

function build(switches) {
  const parts = new Map();
  for (const each of switches) {
    if (!parts.has(each.part)) parts.set(each.part, element("fieldset", { className: "part" }, element("legend", {}, each.part)));
    parts.get(each.part).append(row(each));
  }
  find("switches").append(...parts.values());
}

function row({ name, part, title, effect }) {
  const input = element("input", { type: "checkbox", role: "switch", id: name, name, "aria-describedby": `${name}-effect` });
  inputs.set(name, input);
  const created = element(
    "div",
    { className: "switch" },
    element("label", { for: name }, element("span", { className: "unseen" }, `${part}: `), title),
    input,
    element("p", { className: "hint", id: `${name}-effect` }, effect),
  );
  input.addEventListener("change", () => {
    const done = `${part} ${title.toLowerCase()}: ${input.checked ? "on" : "off"}.`;
    send(created, "/switches", { name, on: input.checked }, done);
  });
  return created;
}

/** Send a change, and mark the pressed element as busy: a new container takes a second or two. */
async function send(pressed, path, body, done) {
  if (pressed.hasAttribute("aria-busy")) return;
  pressed.setAttribute("aria-busy", "true");
  try {
    await callConsole(path, body);
    announce(done);
  } catch (error) {
    announce(`The change failed: ${error.message}`);
    showFaults(await callConsole("/switches"));
  } finally {
    pressed.removeAttribute("aria-busy");
  }
}
