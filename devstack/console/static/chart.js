// Purchases and declines in the last ten minutes: paid upwards, declined downwards.

import { statusOf } from "./status.js";

const WINDOW = 10 * 60_000; // ms
const BARS = 40;
const WIDTH = 400;
const HEIGHT = 80;
const FEWEST = 4; // purchases that fill the height, so that a single one does not

/** Draw the purchases of the last ten minutes into an <svg>. */
export function draw(svg, purchases) {
  const now = Date.now();
  const counts = { paid: Array(BARS).fill(0), declined: Array(BARS).fill(0) };
  for (const purchase of purchases) {
    const status = statusOf(purchase);
    const bar = BARS - 1 - Math.floor((now - purchase.began) / (WINDOW / BARS));
    const kind = ["paid", "declined"].find((name) => status[name]);
    if (kind && bar >= 0) counts[kind][Math.min(bar, BARS - 1)] += 1;
  }
  const most = { paid: Math.max(1, ...counts.paid), declined: Math.max(1, ...counts.declined) };
  const unit = (HEIGHT - 1) / Math.max(FEWEST, most.paid + most.declined);
  const middle = HEIGHT - 1 - most.declined * unit;
  const bars = (kind, top) => counts[kind].map((count, index) => (
    count && rectangle(kind, (index * WIDTH) / BARS + 1, top(count * unit), WIDTH / BARS - 2, count * unit)
  ));
  const drawn = [...bars("paid", (height) => middle - height), ...bars("declined", () => middle + 1)];
  svg.innerHTML = [rectangle("axis", 0, middle, WIDTH, 1), ...drawn.filter(Boolean)].join("");
  const [paid, declined] = [counts.paid, counts.declined].map((list) => list.reduce((sum, count) => sum + count, 0));
  const label = `In the last ten minutes: ${paid} paid, ${declined} declined`;
  if (svg.ariaLabel !== label) svg.ariaLabel = label;
}

function rectangle(kind, x, y, width, height) {
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}
