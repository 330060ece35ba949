// The dialog that stands for the bank's page.

import { money } from "./format.js";

const dialog = document.getElementById("bank");

/** Ask the customer. Returns "succeed", "fail", or "" where the dialog was left (Escape). */
export function ask(payment) {
  document.getElementById("bank-text").textContent =
    `notes-billing asks for ${money(payment.amount, payment.currency)} from your card ending in 3184.`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

for (const choice of dialog.querySelectorAll("button")) {
  choice.addEventListener("click", () => dialog.close(choice.value));
}
