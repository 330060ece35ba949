// Purchases and declines over the last ten minutes: up is paid, down is declined.

import { standing } from "./steps.js";

const WINDOW = 10 * 60_000;
const BARS = 40;
const WIDTH = 400;
const HEIGHT = 80;
const FEWEST = 4; // purchases that the height has room for, so that one is no tower
const SVG = "http://www.w3.org/2000/svg";

/** Draw the purchases into an <svg>, as of now. */
export function draw(svg, purchases) {
  const now = Date.now();
  const counts = Array.from({ length: BARS }, () => ({ paid: 0, declined: 0 }));
  const sum = { paid: 0, declined: 0 };
  for (const purchase of purchases) {
    const { paid, declined } = standing(purchase);
    const bar = BARS - 1 - Math.floor((now - purchase.began) / (WINDOW / BARS));
    const kind = paid ? "paid" : declined ? "declined" : null;
    if (!kind || bar < 0) continue;
    counts[Math.min(bar, BARS - 1)][kind] += 1;
    sum[kind] += 1;
  }
  const most = { paid: Math.max(1, ...counts.map((bar) => bar.paid)), declined: Math.max(1, ...counts.map((bar) => bar.declined)) };
  const unit = (HEIGHT - 1) / Math.max(FEWEST, most.paid + most.declined);
  const middle = HEIGHT - 1 - most.declined * unit;
  const bars = counts.flatMap(({ paid, declined }, index) => [
    ...(paid ? [rectangle("paid", index, middle - paid * unit, paid * unit)] : []),
    ...(declined ? [rectangle("declined", index, middle + 1, declined * unit)] : []),
  ]);
  svg.replaceChildren(shape("rect", { class: "axis", x: 0, y: middle, width: WIDTH, height: 1 }), ...bars);
  const label = `In the last ten minutes ${sum.paid} paid, ${sum.declined} declined`;
  if (svg.getAttribute("aria-label") !== label) svg.setAttribute("aria-label", label);
}

function rectangle(className, index, y, height) {
  const step = WIDTH / BARS;
  return shape("rect", { class: className, x: index * step + 1, y, width: step - 2, height });
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
