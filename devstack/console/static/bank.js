// The dialog that replaces the bank's page.

import { find, money } from "./format.js";

const dialog = find("bank");

/** Let the customer authenticate a payment. Returns "succeed", "fail", or "" if the dialog was closed (Escape). */
export function authenticate(payment) {
  find("bank-text").textContent =
    `notes-billing wants to charge ${money(payment.amount, payment.currency)} to your card ending in 3184.`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

for (const button of dialog.querySelectorAll("button")) {
  button.addEventListener("click", () => dialog.close(button.value));
}
