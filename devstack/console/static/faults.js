// The switches that turn faults on and off.

import { announce, find } from "./format.js";
import { callConsole } from "./http.js";

/** Show the server's state of the switches. */
export function showFaults({ switches, key }) {
  for (const { name, on } of switches) find(name).checked = on;
  find("key").textContent = `(${key})`;
  const count = switches.filter(({ on }) => on).length;
  find("faults-on").hidden = !count;
  find("faults-on").textContent = `${count} fault${count === 1 ? "" : "s"} on`;
}

for (const [id, path, done] of [
  ["clear-faults", "/clear-faults", "All faults are off."],
  ["rotate", "/rotate-key", "The key was rotated."],
  ["restart", "/restart", "A new container is running."],
]) {
  find(id).addEventListener("click", () => send(find(id), path, {}, done));
}

for (const input of document.querySelectorAll("#switches input")) {
  input.addEventListener("change", () => {
    const done = `${input.labels[0].textContent} is ${input.checked ? "on" : "off"}.`;
    send(input.parentElement, "/switches", { name: input.name, on: input.checked }, done);
  });
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
