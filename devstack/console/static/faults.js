// The switches of the devstack's faults.

import { announce, element } from "./format.js";
import { ask } from "./http.js";

const find = (id) => document.getElementById(id);
const inputs = new Map();

/** Show the state that the devstack tells. */
export function show({ switches, key }) {
  if (!inputs.size) build(switches);
  for (const { name, on } of switches) inputs.get(name).checked = on;
  find("key").textContent = `(${key})`;
  const on = switches.filter((each) => each.on).length;
  find("faults-on").hidden = !on;
  find("faults-on").textContent = `${on} fault${on === 1 ? "" : "s"} on`;
}

for (const [id, path, done] of [
  ["heal", "/heal", "Everything works again."],
  ["rotate", "/rotate-key", "The key was rotated."],
  ["restart", "/restart", "A new container is running."],
]) {
  find(id).addEventListener("click", () => act(find(id), path, {}, done));
}

function build(switches) {
  const parts = new Map();
  for (const each of switches) parts.set(each.part, [...(parts.get(each.part) ?? []), each]);
  for (const [part, list] of parts) {
    const title = element("legend", {}, part);
    find("switches").append(element("fieldset", { className: "part" }, title, ...list.map((each) => made(each))));
  }
}

function made({ name, part, title, effect }) {
  const input = element("input", { type: "checkbox", role: "switch", id: name, name, "aria-describedby": `${name}-effect` });
  inputs.set(name, input);
  const row = element(
    "div",
    { className: "switch" },
    element("label", { for: name }, element("span", { className: "unseen" }, `${part}: `), title),
    input,
    element("p", { className: "hint", id: `${name}-effect` }, effect),
  );
  input.addEventListener("change", () => {
    const said = `${part} ${title.toLowerCase()}: ${input.checked ? "on" : "off"}.`;
    act(row, "/switches", { name, on: input.checked }, said);
  });
  return row;
}

/** Do it, marking what was pressed as busy meanwhile: a new container takes a second or two. The stream tells the rest. */
async function act(pressed, path, body, done) {
  if (pressed.hasAttribute("aria-busy")) return;
  pressed.setAttribute("aria-busy", "true");
  try {
    await ask(path, body);
    announce(done);
  } catch (error) {
    announce(`That did not work: ${error.message}`);
    show(await ask("/switches"));
  } finally {
    pressed.removeAttribute("aria-busy");
  }
}
